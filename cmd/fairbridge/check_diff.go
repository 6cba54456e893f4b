package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/dustin/go-humanize/english"
)

// difference is what another mapping file made of the same payload.
type difference struct {
	OldRoute int      `json:"oldRoute,omitempty"` // counted from 1
	OldLine  int      `json:"oldLine,omitempty"`  // in the old file
	Changes  []change `json:"changes"`
}

// change is one thing that is not what it was. What is not there is left out.
type change struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
}

func (r preview) changed() bool { return r.difference != nil && len(r.Changes) > 0 }

// compare notes what is different from what the payload became before.
func (r *preview) compare(was preview) {
	r.difference = &difference{OldRoute: was.Route, OldLine: was.Line, Changes: []change{}}
	before, after := was.parts(), r.parts()
	if was.Outcome != r.Outcome {
		// Everything else is different, too; the request can be looked at by itself.
		isRequest := func(p part, _ json.RawMessage) bool { return p.rank != rankOutcome }
		maps.DeleteFunc(before, isRequest)
		maps.DeleteFunc(after, isRequest)
	}
	keys := slices.Collect(maps.Keys(before))
	for key := range after {
		if _, known := before[key]; !known {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b part) int { return cmp.Or(a.rank-b.rank, cmp.Compare(a.key, b.key)) })
	for _, key := range keys {
		if o, n := before[key], after[key]; !bytes.Equal(o, n) {
			r.Changes = append(r.Changes, change{Key: key.key, Old: o, New: n})
		}
	}
}

// part is one thing that can be different. Those of a lower rank are told first.
type part struct {
	rank int
	key  string
}

const (
	rankOutcome = iota
	rankPlace
	rankFields
	rankAttachments
	rankSettings
)

const keyProblems = "problems"

// parts takes apart what becomes of a payload. The place of a route in the file
// is none: it makes no difference to the payload.
func (r preview) parts() map[part]json.RawMessage {
	parts := map[part]json.RawMessage{}
	set := func(rank int, key string, value any) {
		data, err := json.Marshal(value)
		if err == nil && string(data) != "null" {
			parts[part{rank, key}] = data
		}
	}
	set(rankOutcome, "outcome", r.Outcome)
	if r.Reason != "" {
		set(rankOutcome, "reason", r.Reason)
	}
	var problems []string
	for _, p := range r.Problems {
		p.Line = 0
		problems = append(problems, p.text(""))
	}
	set(rankOutcome, keyProblems, problems)
	if r.Outcome != becomesTicket {
		return parts
	}
	if r.base != "" {
		set(rankPlace, "centercode.baseUrl", r.base)
	}
	set(rankPlace, "project", r.Project)
	set(rankPlace, "source", r.Source)
	for name, value := range r.fields() {
		parts[part{rankFields, "fields." + name}] = value
	}
	for _, a := range r.Attachments {
		key := "attachments." + a.Element
		for n := 2; parts[part{rankAttachments, key}] != nil; n++ {
			key = fmt.Sprintf("attachments.%s (%d)", a.Element, n)
		}
		set(rankAttachments, key, a)
	}
	set(rankSettings, "onLostAnswer", r.OnLostAnswer)
	set(rankSettings, "lookup", r.Lookup)
	return parts
}

// writeDifferences is the comparison for a person, with what the new file is to
// be blamed for in any case.
func (r checkReport) writeDifferences(b *bytes.Buffer, whole bool) {
	for _, p := range r.Payloads {
		if !p.changed() && len(p.Problems)+len(p.Warnings) == 0 {
			continue
		}
		fmt.Fprintf(b, "%s\n", printable(p.Payload))
		if p.changed() {
			p.writeChanges(b, r.Old, r.Config, whole)
		}
		p.writeRemarks(b, r.Config)
		b.WriteByte('\n')
	}
	_, _, changes := r.counts()
	change, stay := "change", "stay as they are"
	if changes == 1 {
		change = "changes"
	}
	if len(r.Payloads)-changes == 1 {
		stay = "stays as it is"
	}
	fmt.Fprintf(b, "%s: %d %s, %d %s%s\n", english.Plural(len(r.Payloads), "payload", ""), changes, change, len(r.Payloads)-changes, stay, r.remarkCount())
}

func (r preview) writeChanges(b *bytes.Buffer, old, config string, whole bool) {
	if r.Line > 0 && r.OldLine > 0 {
		fmt.Fprintf(b, "  route %s:%d -> %s:%d\n", printable(old), r.OldLine, printable(config), r.Line)
	}
	for _, c := range r.Changes {
		if c.Key == keyProblems && c.New != nil {
			continue // they are told as what they are
		}
		fmt.Fprintf(b, "  %s\n", printable(c.Key))
		before, after := string(visibleJSON(c.Old)), string(visibleJSON(c.New))
		if !whole {
			before, after = around(before, after)
		}
		if c.Old != nil {
			fmt.Fprintf(b, "    - %s\n", before)
		}
		if c.New != nil {
			fmt.Fprintf(b, "    + %s\n", after)
		}
	}
}

// around cuts two long texts to where they begin to differ.
func around(a, b string) (string, string) {
	const most, lead = 200, 40 // characters, in all and before the difference
	ar, br := []rune(a), []rune(b)
	same := 0
	for same < len(ar) && same < len(br) && ar[same] == br[same] {
		same++
	}
	from := max(0, same-lead)
	if max(len(ar), len(br)) <= most {
		from = 0
	}
	cut := func(text []rune) string {
		start, end := min(from, len(text)), min(from+most, len(text))
		s := string(text[start:end])
		if start > 0 {
			s = "…" + s
		}
		if end < len(text) {
			s += "…"
		}
		return s
	}
	return cut(ar), cut(br)
}
