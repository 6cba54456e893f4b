package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/deliveries/report"
	"fairbridge/pkg/terminal"
)

func newStats(std streams) *cobra.Command {
	var at place
	var since, until, by string
	var asJSON, asCSV bool
	var q deliveries.StatsQuery
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count what was received, what it became, and how long it took",
		Long: `Counts the deliveries by when their webhooks arrived: how many were received; how
many of them are tickets, still on their way, dead letters, dropped, or ignored by
their route; and the refused webhooks. P50 and P95 are percentiles of the time from
the webhook to the ticket with its files.

Finished deliveries are kept for 35 days; refused webhooks are the last hundred, on
a stack those of seven days. On a stack the whole table is read, as for 'find'.`,
		Example: `  fairbridge stats
  fairbridge stats --since 30d --by day
  fairbridge stats --since 2026-01-31 --until 2026-02-01 --by hour --csv > hours.csv
  fairbridge stats --by app --json | jq '.rows[] | select(.dead > 0)'`,
		Args: exactly(),
		PreRunE: func(*cobra.Command, []string) (err error) {
			now := time.Now()
			q = deliveries.StatsQuery{By: deliveries.By(by), Until: now, Location: time.Local}
			if q.Since, err = deadletter.ParseTime(since, now); err != nil {
				return usage("--since: %w", err)
			}
			if until != "" {
				if q.Until, err = deadletter.ParseTime(until, now); err != nil {
					return usage("--until: %w", err)
				}
			}
			switch {
			case by != "" && !slices.Contains(deliveries.Bys(), q.By):
				return usage("--by %q: it is one of %s", by, strings.Join(texts(deliveries.Bys()), ", "))
			case !q.Since.Before(q.Until):
				return usage("--since is not before --until")
			case asJSON && asCSV:
				return usage("--json and --csv exclude each other")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFinder(cmd.Context(), &at, defaultConfig, func(finder *deliveries.Finder) error {
				m := terminal.NewMeter(std.err)
				q.Progress = m.Deliveries
				s, err := finder.Stats(cmd.Context(), q)
				m.Clear()
				switch {
				case err != nil:
					return err
				case asJSON:
					return writeJSON(std.out, s)
				case asCSV:
					return report.WriteStatsCSV(std.out, s)
				}
				return report.WriteStats(std.out, s, terminal.ScreenOf(std.out).Width)
			})
		},
	}
	at.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "7d", "those received at that `time` or later: 2026-01-31, 2026-01-31T08:00:00Z, or 36h, 7d (ago)")
	flags.StringVar(&until, "until", "", "those received before that `time`")
	flags.StringVar(&by, "by", "", "one row for `each`: "+strings.Join(texts(deliveries.Bys()), ", "))
	flags.BoolVar(&asJSON, "json", false, "one JSON object")
	flags.BoolVar(&asCSV, "csv", false, "comma-separated values, with a header")
	complete(cmd, "by", texts(deliveries.Bys())...)
	return cmd
}
