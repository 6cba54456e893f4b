package preview

import (
	"fmt"
	"strings"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/terminal"
)

// Remark is a problem or a warning about the mapping file or a payload.
type Remark struct {
	Line    int    `json:"line,omitempty"` // in the mapping file
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"` // key of the file, or field of the payload
	Problem string `json:"problem"`
	Value   string `json:"value,omitempty"` // the payload's value, shortened
	Hint    string `json:"hint,omitempty"`
}

// Places returns the problems of a mapping file as remarks.
func Places(problems mapping.Problems) []Remark {
	places := make([]Remark, len(problems))
	for i, p := range problems {
		places[i] = Remark{Line: p.Line, Column: p.Column, Problem: p.Message, Hint: p.Hint}
	}
	return places
}

// Text returns the remark on one line. It includes the payload's value, which the reader
// has anyway. config is the mapping file's name for line numbers, "" for none.
func (r Remark) Text(config string) string {
	var b strings.Builder
	switch {
	case r.Line > 0 && config == "":
		fmt.Fprintf(&b, "line %d: ", r.Line)
	case r.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", terminal.Printable(config), r.Line)
	}
	if r.Field != "" {
		b.WriteString(terminal.Printable(r.Field) + ": ")
	}
	b.WriteString(terminal.Printable(r.Problem))
	switch {
	case r.Value == "":
	case r.Field == "": // about the event as a whole
		b.WriteString(" (" + terminal.Printable(r.Value) + ")")
	default:
		fmt.Fprintf(&b, " (it is %q)", terminal.Printable(r.Value))
	}
	return b.String()
}
