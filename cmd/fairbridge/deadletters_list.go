package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/home"
	"fairbridge/pkg/terminal"
)

func newDeadLettersList(std streams) *cobra.Command {
	var at place
	var s selection
	var each, asJSON, asCSV bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters and their causes",
		Long: `Lists the deliveries that are dead letters, grouped by cause: those with the same
reason, status, project and problem can be fixed and replayed together. With --each
it lists each letter, the oldest first, as --json and --csv do. None is received,
so others are not affected. Letters that SQS itself moved, after too many receives,
have the reason worker_died and the ledger's last error. Letters that are "done
already" are old copies, which 'dlq drop --done' removes.`,
		Example: `  fairbridge dlq list
  fairbridge dlq list --each --stack fairbridge --reason rejected --since 7d
  fairbridge dlq list --match 'email~@example\.com$' --match '@description~submitter'
  fairbridge dlq list --json | jq -r 'select(.status == 404) | .deliveryId'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case limit < 0:
				return usage("--limit must be 0 or more")
			case asJSON && asCSV:
				return usage("--json and --csv exclude each other")
			}
			filter, err := readWords(s.Words)
			if err != nil {
				return err
			}
			return withOperator(cmd.Context(), &at, std, func(d *operator) error {
				in, err := d.Look(cmd.Context(), deadletter.Query{
					Filter: filter, Payloads: each || asJSON || asCSV, Bodies: asJSON, Entries: true,
				})
				if err != nil {
					return err
				}
				d.meter.Clear()
				page := pageOf(std.out, at.Place)
				page.Limit = limit
				records := in.Cases
				if limit > 0 {
					records = records[:min(limit, len(records))]
				}
				switch {
				case asJSON:
					err = report.WriteJSON(std.out, records)
				case asCSV:
					err = report.WriteCSV(std.out, records)
				case each:
					err = page.Letters(in)
				default:
					err = page.Groups(in)
				}
				d.incomplete(in)
				return err
			})
		},
	}
	at.flags(cmd)
	s.flags(cmd)
	cmd.Flags().BoolVar(&each, "each", false, "one line for each letter")
	cmd.Flags().IntVar(&limit, "limit", 0, "how many causes or letters to list at most, 0 for all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "comma-separated values, with a header")
	return cmd
}

func pageOf(out io.Writer, at home.Place) report.Page {
	return report.Page{Out: out, Screen: terminal.ScreenOf(out), Place: at, Now: time.Now()}
}
