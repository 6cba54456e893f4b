package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize/english"
)

// checkReport is what check found. Its JSON is the whole output of --json.
type checkReport struct {
	Config   string    `json:"config"`
	Old      string    `json:"old,omitempty"` // of --diff
	Routes   int       `json:"routes"`
	Problems []remark  `json:"problems"` // of the mapping file
	Warnings []remark  `json:"warnings"` // of the mapping file
	Payloads []preview `json:"payloads"`
}

// fails says whether the exit code is 1.
func (r checkReport) fails(o checkOptions) bool {
	problems, warnings, changes := r.counts()
	return problems > 0 || o.strict && warnings > 0 || o.exitCode && changes > 0
}

// counts has the problems and warnings of everything, and the payloads that
// become something else.
func (r checkReport) counts() (problems, warnings, changes int) {
	problems, warnings = len(r.Problems), len(r.Warnings)
	for _, p := range r.Payloads {
		problems += len(p.Problems)
		warnings += len(p.Warnings)
		if p.changed() {
			changes++
		}
	}
	return problems, warnings, changes
}

func (r checkReport) writeJSON(out io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := out.Write(visibleJSON(b.Bytes()))
	return err
}

// write is the report for a person. The file's own problems and warnings have
// been shown, with their lines.
func (r checkReport) write(std streams, o checkOptions) error {
	if len(r.Problems) > 0 {
		_, err := fmt.Fprintf(std.err, "\n%s in %s\n", english.Plural(len(r.Problems), "problem", ""), r.Config)
		return err
	}
	var b bytes.Buffer
	switch {
	case len(r.Payloads) == 0:
		fmt.Fprintf(&b, "%s is right: %s", r.Config, english.Plural(r.Routes, "route", ""))
		if len(r.Warnings) > 0 {
			fmt.Fprintf(&b, ", %s", english.Plural(len(r.Warnings), "warning", ""))
		}
		b.WriteByte('\n')
	case r.Old != "":
		r.writeDifferences(&b, o.verbose)
	case len(r.Payloads) == 1 || o.verbose:
		for i, p := range r.Payloads {
			if i > 0 {
				b.WriteByte('\n')
			}
			p.write(&b, r.Config)
		}
		if len(r.Payloads) > 1 {
			fmt.Fprintf(&b, "\n%s\n", r.summary())
		}
	default:
		r.writeTable(&b)
		r.writeRemarks(&b)
		fmt.Fprintf(&b, "\n%s\n", r.summary())
	}
	_, err := std.out.Write(b.Bytes())
	return err
}

func (r checkReport) writeTable(b *bytes.Buffer) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PAYLOAD\tEVENT\tBECOMES\tROUTE\tCENTERCODE\tFIELDS\tATTACHMENTS")
	for _, p := range r.Payloads {
		var route, where, fields string
		if p.Line > 0 {
			route = fmt.Sprintf("line %d", p.Line)
		}
		if p.Outcome == becomesTicket {
			where, fields = p.Project+"/"+p.Source, fmt.Sprint(len(p.fields()))
		}
		elements := make([]string, len(p.Attachments))
		for i, a := range p.Attachments {
			elements[i] = a.Element
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(p.Payload), dash(shorten(printable(p.Event), 24)), p.outcome(),
			dash(route), dash(printable(where)), dash(fields), dash(printable(strings.Join(elements, ", "))))
	}
	_ = w.Flush() // to a buffer, which takes it
}

// writeRemarks lists the problems and warnings, each below its payload.
func (r checkReport) writeRemarks(b *bytes.Buffer) {
	for _, p := range r.Payloads {
		if len(p.Problems)+len(p.Warnings) > 0 {
			fmt.Fprintf(b, "\n%s\n", printable(p.Payload))
			p.writeRemarks(b, r.Config)
		}
	}
}

// summary counts: "3 payloads: 2 tickets, 1 ignored; 1 warning".
func (r checkReport) summary() string {
	parts := []string{}
	for _, outcome := range []string{becomesTicket, becomesIgnored, becomesRefused, becomesDeadLetter} {
		n := 0
		for _, p := range r.Payloads {
			if p.Outcome == outcome {
				n++
			}
		}
		switch {
		case n == 0:
		case outcome == becomesTicket, outcome == becomesDeadLetter:
			parts = append(parts, english.Plural(n, strings.ReplaceAll(outcome, "_", " "), ""))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return english.Plural(len(r.Payloads), "payload", "") + ": " + strings.Join(parts, ", ") + r.remarkCount()
}

func (r checkReport) remarkCount() string {
	var parts []string
	problems, warnings, _ := r.counts()
	if problems > 0 {
		parts = append(parts, english.Plural(problems, "problem", ""))
	}
	if warnings > 0 {
		parts = append(parts, english.Plural(warnings, "warning", ""))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, ", ")
}

// write is the payload's whole request for a person.
func (r preview) write(b *bytes.Buffer, config string) {
	fmt.Fprintf(b, "%s: %s\n", printable(r.Payload), r.sentence())
	if r.DeliveryID != "" {
		fmt.Fprintf(b, "  delivery %s\n", r.DeliveryID)
	}
	if r.Outcome == becomesTicket {
		b.WriteByte('\n')
		writeRequest(b, r.Method, r.URL, r.Body)
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(b, "\n  attachment %s\n", a.text())
	}
	for _, element := range r.NotAttached {
		fmt.Fprintf(b, "\n  attachment %s: none, the event has no file for it\n", printable(element))
	}
	if len(r.Problems)+len(r.Warnings) > 0 {
		b.WriteByte('\n')
	}
	r.writeRemarks(b, config)
}

// sentence says in a few words what becomes of the payload.
func (r preview) sentence() string {
	switch r.Outcome {
	case becomesIgnored:
		return fmt.Sprintf("%s, ignored: %s", shorten(printable(r.Event), 24), r.Reason)
	case becomesRefused:
		return fmt.Sprintf("refused, HTTP %d %s", r.Status, http.StatusText(r.Status))
	case becomesDeadLetter:
		return fmt.Sprintf("%s, a dead letter: %s", r.Event, r.Reason)
	}
	return fmt.Sprintf("%s, by the route in line %d", r.Event, r.Line)
}

// outcome is the word for it in a table.
func (r preview) outcome() string { return strings.ReplaceAll(r.Outcome, "_", " ") }

// fields are the parameters of the request, as they are sent.
func (r preview) fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(r.Body, &fields) // an object, since the mapping made it; or nothing
	return fields
}

func (r preview) writeRemarks(b *bytes.Buffer, config string) {
	for _, p := range r.Problems {
		fmt.Fprintf(b, "  problem: %s\n", p.text(config))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(b, "  warning: %s\n", w.text(config))
	}
}

// text is the remark on one line, with what the payload has there: whoever
// checks has the payload anyway.
func (r remark) text(config string) string {
	var b strings.Builder
	switch {
	case r.Line > 0 && config == "":
		fmt.Fprintf(&b, "line %d: ", r.Line)
	case r.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", printable(config), r.Line)
	}
	if r.Field != "" {
		b.WriteString(printable(r.Field) + ": ")
	}
	b.WriteString(printable(r.Problem))
	switch {
	case r.Value == "":
	case r.Field == "": // of the event as a whole
		b.WriteString(" (" + printable(r.Value) + ")")
	default:
		fmt.Fprintf(&b, " (it is %q)", printable(r.Value))
	}
	return b.String()
}
