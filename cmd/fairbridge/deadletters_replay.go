package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/terminal"
)

func newDeadLettersReplay(std streams) *cobra.Command {
	r := replayCall{}
	cmd := &cobra.Command{
		Use:   "replay [DELIVERY-ID...]",
		Short: "Send dead letters through the bridge again",
		Long: `Puts dead letters back into the work queue: those named by their delivery id (its
first characters are enough), those that a filter means, or all. A ticket that
exists is not made again; only what is missing is sent. Mend the cause first.

A letter is deleted only after the work queue has confirmed it. If this command
dies in between there are both, which the ledger recognises. What has been
replayed 3 times already needs --force.

--set corrects the payload, which stays the same delivery; the correction travels
with the message as a record of it. --as-created and --create-again settle a
letter whose ticket is in doubt (reason ambiguous): look in Centercode first.

--first 1 tries the one of them that is dead the longest, waits for its end, and says
how to go on with the rest. --wait ends with a count of how they ended.`,
		Example: `  fairbridge dlq replay 3f9a2c41 --wait
  fairbridge dlq replay 3f9a2c41 --set email=qa@example.com --dry-run
  fairbridge dlq replay --reason attachment_source --since 7d --first 1
  fairbridge dlq replay --stack fairbridge --all --yes --rate 20/s --wait
  fairbridge dlq replay 3f9a2c41 --as-created 4711`,
		ValidArgsFunction: completeIDs(&r.at, &r.selection, 0),
		PreRunE: func(_ *cobra.Command, ids []string) error {
			r.IDs = ids
			return r.check(std)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &r.at, std, func(d *desk) (err error) {
				if len(r.sets) > 0 || r.dryRun {
					if r.options.Checker, err = d.checker(cmd, r.config); err != nil {
						return err
					}
				}
				return r.run(cmd.Context(), d)
			})
		},
	}
	r.flags(cmd)
	return cmd
}

// replayCall is one call of 'dlq replay'.
type replayCall struct {
	selection
	at                                    place
	config, rate, asCreated               string
	sets                                  []string
	newField                              bool
	dryRun, yes, wait, force, createAgain bool
	timeout                               time.Duration
	first                                 int

	// edits means that the corrections come from an editor.
	edits bool

	// The result of check.
	options deadletter.ReplayOptions
}

func (r *replayCall) flags(cmd *cobra.Command) {
	r.at.flags(cmd)
	r.selection.flags(cmd)
	tryFlag(cmd, &r.config)
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "every dead letter")
	f.BoolVar(&r.dryRun, "dry-run", false, "print the requests that would be made, and send nothing")
	f.StringArrayVar(&r.sets, "set", nil, "correct a field of the payload, FIELD=VALUE (repeatable)")
	f.BoolVar(&r.newField, "new-field", false, "let --set add a field that neither TestFairy documents, nor the payload or fairbridge.yaml has")
	f.StringVar(&r.rate, "rate", "", "at most so many, such as 20/s or 100/m (default: as fast as possible)")
	f.BoolVar(&r.yes, "yes", false, "do not ask")
	f.BoolVar(&r.wait, "wait", false, "follow each to its end")
	f.IntVar(&r.first, "first", 0, "only so many of them, the longest dead first; follow each to its end")
	f.DurationVar(&r.timeout, "timeout", 30*time.Minute, "how long --wait waits at most")
	f.BoolVar(&r.force, "force", false, fmt.Sprintf("also what has been replayed %d times already", deadletter.MostReplays))
	f.StringVar(&r.asCreated, "as-created", "", "the lost request was carried out: it made this ticket, or the ticket has the file")
	f.BoolVar(&r.createAgain, "create-again", false, "the lost request did nothing: send it again")
	_ = cmd.RegisterFlagCompletionFunc("set", completeAssignment(&r.at))
	for _, name := range []string{"rate", "timeout", "as-created", "first"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// check parses the flags, so that an incorrect call has no effect at all.
func (r *replayCall) check(std streams) (err error) {
	if err := r.one("replay"); err != nil {
		return err
	}
	if r.options.Filter, err = readWords(r.Words); err != nil {
		return err
	}
	for _, s := range r.sets {
		a, err := deadletter.ParseAssignment(s)
		if err != nil {
			return usage("--set %w", err)
		}
		a.New = r.newField
		r.options.Sets = append(r.options.Sets, a)
	}
	if r.options.PerSecond, err = parseRate(r.rate); err != nil {
		return err
	}
	switch settle := r.asCreated != "" || r.createAgain; {
	case r.asCreated != "" && r.createAgain:
		return usage("--as-created and --create-again exclude each other")
	case settle && len(r.IDs) != 1:
		return usage("--as-created and --create-again settle one delivery; give its id")
	case r.first < 0:
		return usage("--first must be 1 or more")
	case r.first > 0 && len(r.IDs) > 0:
		return usage("--first takes the first of a filter or of --all; delivery ids say which by themselves")
	case r.timeout <= 0:
		return usage("--timeout must be positive")
	case r.asks() && !terminal.Is(std.in):
		return usage("there is nobody to ask here: look first (--dry-run), then add --yes")
	}
	r.options.Force = r.force
	r.options.Settlement = deadletter.Settlement{AsCreated: r.asCreated, CreateAgain: r.createAgain}
	return nil
}

// asks reports whether to ask for confirmation: letters that are named by id and unchanged
// need none.
func (r *replayCall) asks() bool {
	return !r.yes && !r.dryRun && (len(r.IDs) == 0 || len(r.sets) > 0 || r.edits)
}

// parseRate parses 20/s, 100/m, 500/h or 20 into a number per second. "" is 0.
func parseRate(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	text, unit, ok := strings.Cut(s, "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if !ok {
		seconds = 1
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds == 0 || !(n > 0 && n <= 1e6) {
		return 0, usage("--rate %q is not a rate; give one such as 20/s or 100/m", s)
	}
	return n / seconds, nil
}
