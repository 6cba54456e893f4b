package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/terminal"
)

// WriteRefused writes the refused webhooks as text.
func WriteRefused(out io.Writer, r ingest.Refused) error {
	if len(r.Counts) == 0 {
		_, err := fmt.Fprintln(out, "No webhook was refused.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REFUSED\tHTTP\tREASON\tLAST")
	for _, c := range r.Counts {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", c.Count, c.Status, terminal.Printable(string(c.Reason)), c.Last.UTC().Format(time.DateTime))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "TIME (UTC)\tHTTP\tREASON\tBYTES\tFIELDS")
	for _, refusal := range r.Last {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", refusal.At.UTC().Format(time.DateTime), refusal.Status,
			terminal.Printable(string(refusal.Reason)), refusal.Bytes, terminal.Dash(terminal.Shorten(terminal.Printable(strings.Join(refusal.Fields, " ")), 80)))
	}
	return w.Flush()
}
