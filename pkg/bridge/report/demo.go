package report

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/terminal"
)

// WriteDemo writes a table of the results of a demo, and returns whether all are as
// expected.
func WriteDemo(out io.Writer, results []bridge.DemoResult) (asExpected bool, err error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PAYLOAD\tHTTP\tOUTCOME\tTICKET\tATTACHMENTS")
	wrong := 0
	for _, r := range results {
		var files []string
		for _, f := range r.Attachments {
			same := "same SHA-256"
			if !f.Same {
				same = "another SHA-256"
			}
			files = append(files, fmt.Sprintf("%s %d bytes, %s", f.Element, f.Bytes, same))
		}
		attachments := strings.Join(files, "; ")
		if r.Problem != "" {
			wrong++
			attachments = strings.TrimSpace(attachments + " WRONG: " + r.Problem)
		}
		fmt.Fprintf(w, "%s\t%d %s\t%s\t%s\t%s\n", r.File, r.Status, http.StatusText(r.Status),
			terminal.Dash(string(r.Outcome)), terminal.Dash(r.TicketID), terminal.Dash(attachments))
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	payloads := terminal.Count(len(results), "payload")
	if wrong > 0 {
		_, err = fmt.Fprintf(out, "\n%d of %s not as expected\n", wrong, payloads)
	} else {
		_, err = fmt.Fprintf(out, "\n%s, all as they must be\n", payloads)
	}
	return wrong == 0, err
}
