package preview

import (
	"fmt"
	"strings"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/terminal"
)

// Remark is a problem or a warning, of the mapping file or of a payload.
type Remark struct {
	Line    int    `json:"line,omitempty"` // in the mapping file
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"` // the key of the file, or the field of the payload
	Problem string `json:"problem"`
	Value   string `json:"value,omitempty"` // what the payload has there, cut short
	Hint    string `json:"hint,omitempty"`
}

// Places are the problems of a mapping file.
func Places(problems mapping.Problems) []Remark {
	places := make([]Remark, len(problems))
	for i, p := range problems {
		places[i] = Remark{Line: p.Line, Column: p.Column, Problem: p.Message, Hint: p.Hint}
	}
	return places
}

// Text is the remark on one line, with what the payload has there: whoever
// checks has the payload anyway. config names the mapping file where a line of it
// is meant, "" for just the line.
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
	case r.Field == "": // of the event as a whole
		b.WriteString(" (" + terminal.Printable(r.Value) + ")")
	default:
		fmt.Fprintf(&b, " (it is %q)", terminal.Printable(r.Value))
	}
	return b.String()
}
