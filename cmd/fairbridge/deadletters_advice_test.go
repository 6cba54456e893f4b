package main

import (
	"os"
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

var everyAdvice = []advice{
	adviceMalformed, adviceUnroutable, adviceMapping, adviceRejected, adviceRejectedFile, adviceNotFound, adviceNotFoundFile,
	adviceAmbiguous, adviceAmbiguousFile, adviceSource, adviceEndpoint, adviceExhausted, adviceHeld, adviceKey, adviceLeftover, adviceDropped,
}

func TestAdviceIsForTheCase(t *testing.T) {
	dead := func(resume ledger.State) ledger.Entry { return ledger.Entry{State: ledger.Dead, Resume: resume} }
	attaching := dead(ledger.Created)
	attaching.Attaching = "log"
	for _, tc := range []struct {
		name   string
		reason queue.Reason
		stage  queue.Stage
		status int
		entry  *ledger.Entry
		want   advice
	}{
		{"malformed", queue.ReasonMalformed, "decode", 0, nil, adviceMalformed},
		{"unroutable", queue.ReasonUnroutable, "map", 0, nil, adviceUnroutable},
		{"mapping", queue.ReasonMapping, "map", 0, nil, adviceMapping},
		{"rejected", queue.ReasonRejected, "create", 400, nil, adviceRejected},
		{"a file rejected", queue.ReasonRejected, "attach", 413, nil, adviceRejectedFile},
		{"not found", queue.ReasonNotFound, "create", 404, nil, adviceNotFound},
		{"a file's endpoint not found", queue.ReasonNotFound, "attach", 404, nil, adviceNotFoundFile},
		{"ambiguous", queue.ReasonAmbiguous, "create", 0, nil, adviceAmbiguous},
		{"a file ambiguous", queue.ReasonAmbiguous, "attach", 0, nil, adviceAmbiguousFile},
		{"source", queue.ReasonAttachmentSource, "attach", 404, nil, adviceSource},
		{"endpoint", queue.ReasonAttachmentEndpoint, "attach", 0, nil, adviceEndpoint},
		{"held too long", queue.ReasonHeldTooLong, "create", 503, nil, adviceHeld},
		{"exhausted", queue.ReasonRetriesExhausted, "create", 503, nil, adviceExhausted},
		{"exhausted, unknown", queue.ReasonRetriesExhausted, "", 0, nil, adviceExhausted},
		{"exhausted by a key", queue.ReasonRetriesExhausted, "create", 401, nil, adviceKey},
		{"exhausted by a key, for a file", queue.ReasonRetriesExhausted, "attach", 403, nil, adviceKey},
		{"exhausted in doubt", queue.ReasonRetriesExhausted, "create", 503, &ledger.Entry{State: ledger.Creating}, adviceAmbiguous},
		{"exhausted in doubt about a file", queue.ReasonRetriesExhausted, "attach", 503, &attaching, adviceAmbiguousFile},
		{"dropped", queue.ReasonRejected, "create", 400, &ledger.Entry{State: ledger.Dead, Generation: 1, Last: &ledger.Fault{Reason: ledger.ReasonDropped}}, adviceDropped},
		{"done", queue.ReasonRejected, "create", 400, &ledger.Entry{State: ledger.Completed}, adviceLeftover},
	} {
		l := deadletter.Letter{DeadLetter: queue.DeadLetter{Reason: tc.reason, Stage: tc.stage, Status: tc.status}}
		e := ledger.Entry{}
		if tc.entry != nil {
			e = *tc.entry
		}
		if got := adviceFor(l, e, tc.entry != nil); got.What != tc.want.What {
			t.Errorf("%s: %q", tc.name, got.What)
		}
	}
}

// The runbook says what the command says.
func TestAdviceIsInTheRunbook(t *testing.T) {
	b, err := os.ReadFile("../../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	runbook := words(string(b))
	for _, a := range everyAdvice {
		texts := []string{a.What}
		for _, s := range a.Steps {
			texts = append(texts, "- "+s.Text)
			if s.Command != "" {
				texts = append(texts, "fairbridge "+strings.ReplaceAll(s.Command, "{id}", "ID"))
			}
		}
		for _, text := range texts {
			if !strings.Contains(runbook, words(text)) {
				t.Errorf("docs/dead-letters.md does not say %q", text)
			}
		}
	}
	for _, r := range queue.Reasons() {
		if !strings.Contains(string(b), "\n### "+string(r)+"\n") {
			t.Errorf("docs/dead-letters.md has no section for %s", r)
		}
	}
}
