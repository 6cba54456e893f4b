// Package report writes what a check of a mapping file has found, as text and as JSON.
package report

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	letters "fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// Check is the result of checking a mapping file, and payloads against it.
type Check struct {
	Config   string            `json:"config"`
	Old      string            `json:"old,omitempty"` // of --diff
	Routes   int               `json:"routes"`
	Problems []preview.Remark  `json:"problems"` // of the mapping file
	Warnings []preview.Remark  `json:"warnings"` // of the mapping file
	Payloads []preview.Preview `json:"payloads"`
}

// Counts returns the number of all problems and warnings, and of the payloads whose result
// differs.
func (r Check) Counts() (problems, warnings, changes int) {
	problems, warnings = len(r.Problems), len(r.Warnings)
	for _, p := range r.Payloads {
		problems += len(p.Problems)
		warnings += len(p.Warnings)
		if p.Changed() {
			changes++
		}
	}
	return problems, warnings, changes
}

// WriteJSON writes the check as one JSON object.
func (r Check) WriteJSON(out io.Writer) error {
	data, err := plainjson.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = io.WriteString(out, terminal.IndentedJSON(data)+"\n")
	return err
}

// Write writes the check as text, to errs if the file itself has problems. Those, and the
// file's warnings, have been written already, with their lines. verbose shows the whole
// request of each payload, and whole values in a difference.
func (r Check) Write(out, errs io.Writer, verbose bool) error {
	if len(r.Problems) > 0 {
		_, err := fmt.Fprintf(errs, "\n%s in %s\n", terminal.Count(len(r.Problems), "problem"), r.Config)
		return err
	}
	var b bytes.Buffer
	switch {
	case len(r.Payloads) == 0:
		fmt.Fprintf(&b, "%s is valid: %s", r.Config, terminal.Count(r.Routes, "route"))
		if len(r.Warnings) > 0 {
			fmt.Fprintf(&b, ", %s", terminal.Count(len(r.Warnings), "warning"))
		}
		b.WriteByte('\n')
	case r.Old != "":
		r.writeDifferences(&b, verbose)
	case len(r.Payloads) == 1 || verbose:
		for i, p := range r.Payloads {
			if i > 0 {
				b.WriteByte('\n')
			}
			writePreview(&b, p, r.Config)
		}
		if len(r.Payloads) > 1 {
			fmt.Fprintf(&b, "\n%s\n", r.summary())
		}
	default:
		r.writeTable(&b)
		for _, p := range r.Payloads {
			if len(p.Problems)+len(p.Warnings) > 0 {
				fmt.Fprintf(&b, "\n%s\n", terminal.Printable(p.Payload))
				writeRemarks(&b, p, r.Config)
			}
		}
		fmt.Fprintf(&b, "\n%s\n", r.summary())
	}
	_, err := out.Write(b.Bytes())
	return err
}

func (r Check) writeTable(b *bytes.Buffer) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PAYLOAD\tEVENT\tBECOMES\tROUTE\tCENTERCODE\tFIELDS\tATTACHMENTS")
	for _, p := range r.Payloads {
		var route, where, fields string
		if p.Line > 0 {
			route = fmt.Sprintf("line %d", p.Line)
		}
		if p.Outcome == preview.Ticket {
			where, fields = p.Project+"/"+p.Source, fmt.Sprint(len(p.Fields()))
		}
		elements := make([]string, len(p.Attachments))
		for i, a := range p.Attachments {
			elements[i] = a.Element
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", terminal.Printable(p.Payload), terminal.Dash(terminal.Shorten(terminal.Printable(p.Event), 24)), outcomeText(p.Outcome),
			terminal.Dash(route), terminal.Dash(terminal.Printable(where)), terminal.Dash(fields), terminal.Dash(terminal.Printable(strings.Join(elements, ", "))))
	}
	_ = w.Flush() // to a buffer, which takes it
}

// summary returns counts: "3 payloads: 2 tickets, 1 ignored; 1 warning".
func (r Check) summary() string {
	parts := []string{}
	for _, outcome := range []preview.Outcome{preview.Ticket, preview.Ignored, preview.Refused, preview.DeadLetter} {
		n := 0
		for _, p := range r.Payloads {
			if p.Outcome == outcome {
				n++
			}
		}
		switch {
		case n == 0:
		case outcome == preview.Ticket, outcome == preview.DeadLetter:
			parts = append(parts, terminal.Count(n, outcomeText(outcome)))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return terminal.Count(len(r.Payloads), "payload") + ": " + strings.Join(parts, ", ") + r.remarkCount()
}

func (r Check) remarkCount() string {
	var parts []string
	problems, warnings, _ := r.Counts()
	if problems > 0 {
		parts = append(parts, terminal.Count(problems, "problem"))
	}
	if warnings > 0 {
		parts = append(parts, terminal.Count(warnings, "warning"))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, ", ")
}

// writePreview is the payload's whole request for a person.
func writePreview(b *bytes.Buffer, r preview.Preview, config string) {
	fmt.Fprintf(b, "%s: %s\n", terminal.Printable(r.Payload), sentence(r))
	if r.DeliveryID != "" {
		fmt.Fprintf(b, "  delivery %s\n", r.DeliveryID)
	}
	if r.Outcome == preview.Ticket {
		b.WriteByte('\n')
		letters.WriteHTTP(b, r.Method, r.URL, r.Body)
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(b, "\n  attachment %s\n", letters.FileText(a))
	}
	for _, element := range r.NotAttached {
		fmt.Fprintf(b, "\n  attachment %s: none, the event has no file for it\n", terminal.Printable(element))
	}
	if len(r.Problems)+len(r.Warnings) > 0 {
		b.WriteByte('\n')
	}
	writeRemarks(b, r, config)
}

// sentence describes the payload's result in a few words.
func sentence(r preview.Preview) string {
	switch r.Outcome {
	case preview.Ignored:
		return fmt.Sprintf("%s, ignored: %s", terminal.Shorten(terminal.Printable(r.Event), 24), r.Reason)
	case preview.Refused:
		return fmt.Sprintf("refused, HTTP %d %s", r.Status, http.StatusText(r.Status))
	case preview.DeadLetter:
		return fmt.Sprintf("%s, a dead letter: %s", r.Event, r.Reason)
	}
	return fmt.Sprintf("%s, by the route on line %d", r.Event, r.Line)
}

// outcomeText is the outcome in a table.
func outcomeText(o preview.Outcome) string { return strings.ReplaceAll(string(o), "_", " ") }

func writeRemarks(b *bytes.Buffer, r preview.Preview, config string) {
	for _, p := range r.Problems {
		fmt.Fprintf(b, "  problem: %s\n", p.Text(config))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(b, "  warning: %s\n", w.Text(config))
	}
}
