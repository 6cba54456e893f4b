package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// checked is the request that a dead letter becomes, for 'dlq'. Its remarks are
// ready to be read.
type checked struct {
	Payload     string          `json:"payload"`
	Route       int             `json:"route,omitempty"` // counted from 1
	Method      string          `json:"method,omitempty"`
	URL         string          `json:"url,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	Attachments []preview.File  `json:"attachments,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Ignored     string          `json:"ignored,omitempty"`
	Problems    []string        `json:"problems,omitempty"`
}

// requestOf notes what Centercode would get.
func requestOf(c *preview.Checker, result *checked, r mapping.Request) error {
	p, err := c.Request(r)
	if err != nil {
		return err
	}
	result.Route, result.Method, result.URL, result.Body = p.Route, p.Method, p.URL, p.Body
	result.Attachments = p.Attachments
	for _, w := range p.Warnings {
		result.Warnings = append(result.Warnings, w.Text(""))
	}
	for _, problem := range p.Problems {
		result.Problems = append(result.Problems, problem.Text(""))
	}
	return nil
}

// problemsOf is what is wrong, one text for each joined error.
func problemsOf(err error) []string {
	var all []string
	for _, e := range preview.Each(err) {
		all = append(all, e.Error())
	}
	return all
}

// write is the request for a person, after an empty line if there is more.
func (r checked) write(out io.Writer, more bool) error {
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
