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
		Long: `Sends dead letters to the work queue again: those with the given delivery ids
(which may be shortened), those that match a filter, or all. An existing ticket is
not created again; only what is missing is sent. Fix the cause first.

A letter is deleted only after the work queue has confirmed it. If this command
dies in between there are both, which the ledger recognises. Letters that have been
replayed 3 times need --force.

--set corrects the payload, which stays the same delivery; the correction is
recorded in the message. --as-created and --create-again settle a letter whose
ticket is in doubt (reason ambiguous): look in Centercode first.

--first 1 tries the oldest one, waits until it ends, and says how to continue with
the rest. --wait ends with a count of the results.`,
		Example: `  fairbridge dlq replay 3f9a2c41 --wait
  fairbridge dlq replay 3f9a2c41 --set email=qa@example.com --dry-run
  fairbridge dlq replay --reason attachment_source --since 7d --first 1
  fairbridge dlq replay --stack fairbridge --all --yes --rate 20/s --wait
  fairbridge dlq replay 3f9a2c41 --as-created 4711`,
		ValidArgsFunction: completeIDs(&r.at, &r.selection, 0),
		RunE: func(cmd *cobra.Command, ids []string) error {
			r.IDs = ids
			if err := r.check(std); err != nil {
				return err
			}
			return withOperator(cmd.Context(), &r.at, std, func(d *operator) (err error) {
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

type replayCall struct {
	selection
	*operator                             // while it runs
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

	// often and failed count the messages written.
	often, failed int
}

func (r *replayCall) flags(cmd *cobra.Command) {
	r.at.flags(cmd)
	r.selection.flags(cmd)
	tryFlag(cmd, &r.config)
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "every dead letter")
	f.BoolVar(&r.dryRun, "dry-run", false, "print the requests that would be sent, and send nothing")
	f.StringArrayVar(&r.sets, "set", nil, "correct a field of the payload, `FIELD=VALUE` (repeatable)")
	f.BoolVar(&r.newField, "new-field", false, "let --set add a field that is not documented by TestFairy, in the payload or in fairbridge.yaml")
	f.StringVar(&r.rate, "rate", "", "maximum `rate`, such as 20/s or 100/m (default: as fast as possible)")
	f.BoolVar(&r.yes, "yes", false, "do not ask for confirmation")
	f.BoolVar(&r.wait, "wait", false, "follow each until it ends")
	f.IntVar(&r.first, "first", 0, "only that many, the oldest first; follow each until it ends")
	f.DurationVar(&r.timeout, "timeout", 30*time.Minute, "how long --wait waits at most")
	f.BoolVar(&r.force, "force", false, fmt.Sprintf("also letters that have been replayed %d times", deadletter.MostReplays))
	f.StringVar(&r.asCreated, "as-created", "", "the lost request was carried out: it created this `ticket`, or the ticket has the file")
	f.BoolVar(&r.createAgain, "create-again", false, "the lost request did nothing: send it again")
	_ = cmd.RegisterFlagCompletionFunc("set", completeAssignment(&r.at))
	for _, name := range []string{"rate", "timeout", "as-created", "first"} {
		complete(cmd, name)
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
		return usage("--first needs a filter or --all, not delivery ids")
	case r.timeout <= 0:
		return usage("--timeout must be positive")
	case r.asks() && !terminal.Is(std.in):
		return usage("there is no terminal to ask for confirmation: check with --dry-run, then add --yes")
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
