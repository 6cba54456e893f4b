package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersList(std streams) *cobra.Command {
	var at place
	var s selection
	var asJSON bool
	var filter deadletter.Filter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters and why they are there",
		Long: `Lists the deliveries that are dead letters, the longest dead first. None is
received: others do not notice. What SQS itself moved, after too many receives,
is worker_died; its last error is the ledger's.`,
		Example: `  fairbridge dlq list
  fairbridge dlq list --stack fairbridge --reason rejected --since 7d
  fairbridge dlq list --match 'email~@example\.com$' --match '@description~submitter'
  fairbridge dlq list --json | jq -r 'select(.status == 404) | .deliveryId'`,
		Args: exactly(),
		PreRunE: func(*cobra.Command, []string) (err error) {
			filter, err = s.filter(time.Now())
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &at, std, func(d *desk) error {
				in, err := d.Look(cmd.Context(), deadletter.Wish{Filter: filter, Payloads: true, Bodies: asJSON})
				if err != nil {
					return err
				}
				d.meter.clear()
				if asJSON {
					err = writeLettersJSON(std.out, in.Cases)
				} else {
					err = writeLetters(std.out, in.Cases, in.Deliveries, time.Now())
				}
				if d.incomplete(in) {
					err = cmp.Or(err, errSaid)
				}
				return err
			})
		},
	}
	at.flags(cmd)
	s.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// The widths of columns that hold other people's text.
const (
	reasonWidth    = 20
	appWidth       = 20
	submitterWidth = 30
	textWidth      = 30
	problemWidth   = 80
)

// writeLetters is the table, and under it the count by reason.
func writeLetters(out io.Writer, cases []deadletter.Case, deliveries int, now time.Time) error {
	if len(cases) == 0 {
		none := "no dead letters"
		if deliveries > 0 {
			none = fmt.Sprintf("none of %s is meant", terminal.Count(deliveries, "dead letter"))
		}
		_, err := fmt.Fprintln(out, none)
		return err
	}
	rows := [][]string{{"AGE", "REASON", "STAGE", "STATUS", "APP", "SUBMITTER", "TEXT", "ATTEMPTS", "DELIVERY", "PROBLEM"}}
	for _, c := range cases {
		status := ""
		if c.Status != 0 {
			status = fmt.Sprint(c.Status)
		}
		problem := terminal.Shorten(terminal.Printable(c.Description), problemWidth)
		if c.Count() > 1 {
			problem = strings.TrimSpace(fmt.Sprintf("%s (copies: %d)", problem, c.Count()))
		}
		rows = append(rows, []string{
			age(now.Sub(c.DiedAt())), terminal.Shorten(terminal.Printable(string(c.Reason)), reasonWidth), terminal.Shorten(terminal.Printable(string(c.Stage)), reasonWidth), status,
			terminal.Shorten(terminal.Printable(c.Webhook.Text("appName")), appWidth), terminal.Shorten(terminal.Printable(c.Submitter()), submitterWidth),
			terminal.Shorten(terminal.Printable(c.Saying()), textWidth), fmt.Sprint(c.Attempts), shortID(c.DeliveryID), problem,
		})
	}
	if err := terminal.WriteTable(out, rows); err != nil {
		return err
	}
	of := ""
	if deliveries > len(cases) {
		of = fmt.Sprintf(" of %d", deliveries)
	}
	_, err := fmt.Fprintf(out, "\n%s%s: %s\n", terminal.Count(len(cases), "dead letter"), of, byReason(cases))
	return err
}

// byReason counts by reason, the most frequent first.
func byReason(cases []deadletter.Case) string {
	counts := map[queue.Reason]int{}
	for _, c := range cases {
		counts[c.Reason]++
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b queue.Reason) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	parts := make([]string, len(reasons))
	for i, r := range reasons {
		parts[i] = fmt.Sprintf("%d %s", counts[r], terminal.Printable(string(r)))
	}
	return strings.Join(parts, ", ")
}

func writeLettersJSON(out io.Writer, cases []deadletter.Case) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, c := range cases {
		if err := enc.Encode(c.Record()); err != nil {
			return err
		}
	}
	return nil
}
