// Package report writes what was reconciled as text for people.
package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/reconcile"
	"fairbridge/pkg/terminal"
)

// Write writes a report: the number in each state, and every feedback that is
// not simply present. items are those of the report that are asked for.
func Write(out io.Writer, report *reconcile.Report, items []*reconcile.Item) error {
	if len(report.Items) == 0 {
		_, err := fmt.Fprintln(out, "TestFairy lists no feedback.")
		return err
	}
	seen := terminal.Count(len(report.Items), "feedback")
	if report.Full {
		seen = "only its 100 latest feedbacks"
	}
	fmt.Fprintf(out, "TestFairy lists %s, back to %s by its clock; the ledger goes back to %s.\n\n",
		seen, terminal.Printable(report.Oldest), report.Begins.UTC().Format("2006-01-02 15:04 UTC"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count := map[reconcile.State]int{}
	for _, i := range items {
		count[i.State]++
	}
	for _, s := range reconcile.States() {
		if count[s] > 0 {
			fmt.Fprintf(w, "%s\t%d\n", s, count[s])
		}
	}
	if count[reconcile.Present] < len(items) {
		fmt.Fprintln(w, "\nRECORDED\tSTATE\tDELIVERY\tFROM\tWHAT")
	}
	for _, i := range items {
		if i.State == reconcile.Present {
			continue
		}
		text := i.Text
		if i.Why != "" {
			text = i.Why + ": " + text
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", terminal.Dash(terminal.Printable(i.RecordedAt)), i.State, terminal.Dash(queue.ShortID(i.DeliveryID)),
			terminal.Dash(terminal.Shorten(terminal.Printable(i.From), 40)), terminal.Dash(terminal.Shorten(terminal.Printable(text), 100)))
	}
	return w.Flush()
}
