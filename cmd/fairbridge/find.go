package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/deliveries/report"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

type finding struct {
	query         ledger.Query
	since, until  string
	limit         int
	asJSON, asCSV bool
	config        string
}

func newFind(std streams) *cobra.Command {
	var at place
	var f finding
	cmd := &cobra.Command{
		Use:   "find [TEXT]",
		Short: "Find deliveries, and their tickets",
		Long: `Finds deliveries by an email address, words of the feedback, an app, a time, a
session or a ticket, the last received first. Finished deliveries are kept for 35
days, unfinished ones until they are finished. TEXT may be part of any of these, or
the beginning of the delivery id. Case is ignored. Nothing is changed, and no
message is received.

On a stack the whole table is read, and results are shown as they are found, in no
order: a million deliveries take a few minutes and cost some US cents.`,
		Example: `  fairbridge find                                        the last feedback
  fairbridge find tester@example.com --since 24h
  fairbridge find "crashes on login" --app Notes
  fairbridge find --ticket BUG-17
  fairbridge find --state dead --csv > dead.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give one text, in quotes if it has spaces")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(args); err != nil {
				return err
			}
			return withFinder(cmd.Context(), &at, f.config, func(finder *deliveries.Finder) error {
				return f.run(cmd.Context(), finder, std, at.OnAWS())
			})
		},
	}
	at.flags(cmd)
	configFlag(cmd, &f.config, "the `file` with centercode.ticketUrl, if the running mapping is unknown")
	flags := cmd.Flags()
	flags.StringVar(&f.query.Email, "email", "", "those whose tester's email address contains this `text`")
	flags.StringVar(&f.query.App, "app", "", "those whose app's name contains this `text`")
	flags.StringVar(&f.query.Kind, "kind", "", "those of this `kind`, such as feedback or crash")
	flags.StringSliceVar(&f.query.States, "state", nil, "those in this `state`: "+strings.Join(ledger.Standings(), ", ")+" (repeatable)")
	flags.StringVar(&f.query.Ticket, "ticket", "", "the one with this `ticket`")
	flags.StringVar(&f.query.Session, "session", "", "those whose session's address contains this `text`")
	flags.StringVar(&f.query.Reason, "reason", "", "those whose last error has this `reason`, as in 'dlq list'")
	flags.StringVar(&f.since, "since", "", "those received at that `time` or later: 2026-01-31, 2026-01-31T08:00:00Z, or 36h, 7d (ago)")
	flags.StringVar(&f.until, "until", "", "those received before that `time`")
	flags.IntVar(&f.limit, "limit", 50, "maximum number to show")
	flags.BoolVar(&f.asJSON, "json", false, "one JSON object a line")
	flags.BoolVar(&f.asCSV, "csv", false, "comma-separated values, with a header")
	complete(cmd, "state", ledger.Standings()...)
	return cmd
}

func (f *finding) read(args []string) error {
	if len(args) > 0 {
		f.query.Text = args[0]
	}
	for _, s := range f.query.States {
		if !slices.Contains(ledger.Standings(), s) {
			return usage("there is no state %q; the states are %s", s, strings.Join(ledger.Standings(), ", "))
		}
	}
	words := deadletter.Words{Since: f.since, Until: f.until}
	if f.query.Reason != "" {
		words.Reasons = []string{f.query.Reason}
	}
	filter, err := readWords(words)
	if err != nil {
		return err
	}
	f.query.Since, f.query.Until = filter.Since, filter.Until
	switch {
	case f.limit < 1:
		return usage("--limit must be 1 or more")
	case f.asJSON && f.asCSV:
		return usage("--json and --csv exclude each other")
	}
	return nil
}

// withFinder runs work over an open bridge. config is the file whose links are
// taken where the ledger has none; it may be missing.
func withFinder(ctx context.Context, at *place, config string, work func(*deliveries.Finder) error) error {
	return at.use(ctx, func(t *home.Home) error {
		m, err := t.Mapping(ctx, config, config != defaultConfig)
		if err != nil {
			return err
		}
		finder, err := deliveries.New(deliveries.Config{Home: t, Mapping: m.Config})
		if err != nil {
			return err
		}
		return work(finder)
	})
}

func (f *finding) run(ctx context.Context, finder *deliveries.Finder, std streams, onAWS bool) error {
	m := terminal.NewMeter(std.err)
	f.query.Progress = m.Deliveries
	out := f.output(std.out)
	found := 0
	more, err := finder.Find(ctx, f.query, f.limit, func(d deliveries.Delivery) error {
		m.Clear()
		found++
		return out(d)
	})
	m.Clear()
	switch {
	case err != nil:
		return err
	case found == 0:
		fmt.Fprintln(std.err, "fairbridge: nothing was found; what is done is remembered for 35 days")
		return errSaid
	case more && onAWS:
		fmt.Fprintf(std.err, "fairbridge: there are more than these %d: narrow the search, or raise --limit\n", found)
	case more:
		fmt.Fprintf(std.err, "fairbridge: there are more than these last %d: narrow the search, or raise --limit\n", found)
	}
	return nil
}

// output returns what writes one delivery after the other.
func (f *finding) output(out io.Writer) func(deliveries.Delivery) error {
	switch {
	case f.asJSON:
		return func(d deliveries.Delivery) error { return writeJSONLines(out, d) }
	case f.asCSV:
		return deliveries.CSV(out)
	}
	return (&report.Table{Out: out, Width: terminal.ScreenOf(out).Width}).Write
}
