package preview

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is what another mapping file makes of the same payload, compared with this
// one.
type Difference struct {
	OldRoute int      `json:"oldRoute,omitempty"` // counted from 1
	OldLine  int      `json:"oldLine,omitempty"`  // in the old file
	Changes  []Change `json:"changes"`
}

// Change is one difference. A missing side is left out.
type Change struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
}

// Changed reports whether the comparison found a difference.
func (r Preview) Changed() bool { return r.Difference != nil && len(r.Changes) > 0 }

// Compare records what differs from was, an earlier preview of the payload.
func (r *Preview) Compare(was Preview) {
	r.Difference = &Difference{OldRoute: was.Route, OldLine: was.Line, Changes: []Change{}}
	before, after := was.parts(), r.parts()
	if was.Outcome != r.Outcome {
		// Everything else is different as well; the request can be shown on its own.
		isRequest := func(p part, _ json.RawMessage) bool { return p.rank != rankOutcome }
		maps.DeleteFunc(before, isRequest)
		maps.DeleteFunc(after, isRequest)
	}
	either := maps.Clone(before)
	maps.Copy(either, after)
	byRank := func(a, b part) int { return cmp.Or(a.rank-b.rank, cmp.Compare(a.key, b.key)) }
	for _, key := range slices.SortedFunc(maps.Keys(either), byRank) {
		if o, n := before[key], after[key]; !bytes.Equal(o, n) {
			r.Changes = append(r.Changes, Change{Key: key.key, Old: o, New: n})
		}
	}
}

// part is one thing that can differ. Lower ranks are listed first.
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

// KeyProblems is the key of a changed problem.
const KeyProblems = "problems"

// parts splits a preview into its parts. The line of a route is not one: it makes no
// difference to the payload.
func (r Preview) parts() map[part]json.RawMessage {
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
		problems = append(problems, p.Text(""))
	}
	set(rankOutcome, KeyProblems, problems)
	if r.Outcome != Ticket {
		return parts
	}
	if r.base != "" {
		set(rankPlace, "centercode.baseUrl", r.base)
	}
	set(rankPlace, "project", r.Project)
	set(rankPlace, "source", r.Source)
	for name, value := range r.Fields() {
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
