package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// WriteRequest writes the request that a replay would send, after an empty line if more is
// set.
func WriteRequest(out io.Writer, r deadletter.Request, more bool) error {
	var b bytes.Buffer
	if more {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\n", terminal.Printable(r.Payload))
	if r.Ignored != "" {
		fmt.Fprintf(&b, "  ignored: %s\n", r.Ignored)
	}
	if r.URL != "" {
		WriteHTTP(&b, r.Method, r.URL, r.Body)
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(&b, "\n  attachment %s\n", FileText(a))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", terminal.Printable(w))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  PROBLEM: %s\n", terminal.Printable(p))
	}
	_, err := out.Write(b.Bytes())
	return err
}

// WriteHTTP writes an HTTP request with a JSON body. Compared with what is sent, only the
// body's white space differs, and the spelling of control characters.
func WriteHTTP(b *bytes.Buffer, method, url string, body json.RawMessage) {
	fmt.Fprintf(b, "  %s %s\n  Content-Type: application/json\n\n  ", method, terminal.Printable(url))
	b.WriteString(strings.ReplaceAll(terminal.IndentedJSON(body), "\n", "\n  ") + "\n")
}

// FileText returns an attachment as one line.
func FileText(a preview.File) string {
	s := a.Element + " from " + a.URL
	if a.Filename != "" {
		s += " as " + a.Filename
	}
	if a.Endpoint != "" {
		s += " to " + a.Endpoint
	}
	if a.Account != "" {
		s += ", requested as " + a.Account
	}
	if a.Optional {
		s += " (optional)"
	}
	return terminal.Printable(s)
}
