package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"fairbridge/pkg/mapping"
)

// checked is the request that a dead letter becomes, for 'dlq'. Its remarks are
// ready to be read.
type checked struct {
	Payload     string          `json:"payload"`
	Route       int             `json:"route,omitempty"` // counted from 1
	Method      string          `json:"method,omitempty"`
	URL         string          `json:"url,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	Attachments []checkedFile   `json:"attachments,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Ignored     string          `json:"ignored,omitempty"`
	Problems    []string        `json:"problems,omitempty"`
}

// request notes what Centercode would get.
func (c *checker) request(result *checked, r mapping.Request) error {
	var p preview
	if err := c.ticket(&p, r); err != nil {
		return err
	}
	result.Route, result.Method, result.URL, result.Body = p.Route, p.Method, p.URL, p.Body
	result.Attachments = p.Attachments
	for _, w := range p.Warnings {
		result.Warnings = append(result.Warnings, w.text(""))
	}
	for _, problem := range p.Problems {
		result.Problems = append(result.Problems, problem.text(""))
	}
	return nil
}

// problemsOf is what is wrong, one text for each joined error.
func problemsOf(err error) []string {
	var all []string
	for _, e := range eachOf(err) {
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
	fmt.Fprintf(&b, "%s\n", printable(r.Payload))
	if r.Ignored != "" {
		fmt.Fprintf(&b, "  ignored: %s\n", r.Ignored)
	}
	if r.URL != "" {
		writeRequest(&b, r.Method, r.URL, r.Body)
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(&b, "\n  attachment %s\n", a.text())
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", printable(w))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  PROBLEM: %s\n", printable(p))
	}
	_, err := out.Write(b.Bytes())
	return err
}

// writeRequest is an HTTP request with a JSON body. Only the body's white space
// is not as it is sent, and how it spells what a terminal would act on.
func writeRequest(b *bytes.Buffer, method, url string, body json.RawMessage) {
	fmt.Fprintf(b, "  %s %s\n  Content-Type: application/json\n\n  ", method, printable(url))
	var indented bytes.Buffer
	_ = json.Indent(&indented, body, "  ", "  ") // it cannot fail: the mapping made the body
	b.Write(visibleJSON(indented.Bytes()))
	b.WriteByte('\n')
}

// text is the attachment on one line.
func (a checkedFile) text() string {
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
	return printable(s)
}

// visibleJSON writes as \u escapes, which mean the same, what a terminal would
// act on or hide. The joiner that emojis are made with stays.
func visibleJSON(data []byte) []byte {
	shown := func(r rune) bool {
		return r != utf8.RuneError && (r == '\n' || r == '\u200d' || unicode.IsPrint(r) || unicode.Is(unicode.Zs, r))
	}
	if !slices.ContainsFunc([]rune(string(data)), func(r rune) bool { return !shown(r) }) {
		return data
	}
	var b strings.Builder
	for _, r := range string(data) {
		switch {
		case shown(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return []byte(b.String())
}
