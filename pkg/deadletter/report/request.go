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

// WriteRequest writes the request that a replay would make, after an empty line if
// there is more.
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

// WriteHTTP writes an HTTP request with a JSON body. Only the body's white space differs
// from what is sent, and how it spells what a terminal would act on.
func WriteHTTP(b *bytes.Buffer, method, url string, body json.RawMessage) {
	fmt.Fprintf(b, "  %s %s\n  Content-Type: application/json\n\n  ", method, terminal.Printable(url))
	b.WriteString(strings.ReplaceAll(terminal.IndentedJSON(body), "\n", "\n  ") + "\n")
}

// FileText returns an attachment on one line.
func FileText(a preview.File) string {
	s := a.Element + " from " + a.URL
	if a.Filename != "" {
		s += " as " + a.Filename
	}
	if a.Endpoint != "" {
		s += " to " + a.Endpoint
	}
	if a.Account != "" {
		s += ", asked for as " + a.Account
	}
	if a.Optional {
		s += " (optional)"
	}
	return terminal.Printable(s)
}
