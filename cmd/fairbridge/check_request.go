package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// writeReplayed is the request of a replay for a person, after an empty line if
// there is more.
func writeReplayed(out io.Writer, r deadletter.Request, more bool) error {
	var b bytes.Buffer
	if more {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\n", terminal.Printable(r.Payload))
	if r.Ignored != "" {
		fmt.Fprintf(&b, "  ignored: %s\n", r.Ignored)
	}
	if r.URL != "" {
		writeRequest(&b, r.Method, r.URL, r.Body)
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(&b, "\n  attachment %s\n", fileText(a))
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

// writeRequest is an HTTP request with a JSON body. Only the body's white space
// is not as it is sent, and how it spells what a terminal would act on.
func writeRequest(b *bytes.Buffer, method, url string, body json.RawMessage) {
	fmt.Fprintf(b, "  %s %s\n  Content-Type: application/json\n\n  ", method, terminal.Printable(url))
	var indented bytes.Buffer
	_ = json.Indent(&indented, body, "  ", "  ") // it cannot fail: the mapping made the body
	b.Write(terminal.JSON(indented.Bytes()))
	b.WriteByte('\n')
}

// fileText is the attachment on one line.
func fileText(a preview.File) string {
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
