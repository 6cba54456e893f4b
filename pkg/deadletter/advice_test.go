package deadletter

import (
	"os"
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

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
		want   Advice
	}{
		{"malformed", queue.ReasonMalformed, "decode", 0, nil, AdviceMalformed},
		{"unroutable", queue.ReasonUnroutable, "map", 0, nil, AdviceUnroutable},
		{"mapping", queue.ReasonMapping, "map", 0, nil, AdviceMapping},
		{"rejected", queue.ReasonRejected, "create", 400, nil, AdviceRejected},
		{"a file rejected", queue.ReasonRejected, "attach", 413, nil, AdviceRejectedFile},
		{"not found", queue.ReasonNotFound, "create", 404, nil, AdviceNotFound},
		{"a file's endpoint not found", queue.ReasonNotFound, "attach", 404, nil, AdviceNotFoundFile},
		{"ambiguous", queue.ReasonAmbiguous, "create", 0, nil, AdviceAmbiguous},
		{"a file ambiguous", queue.ReasonAmbiguous, "attach", 0, nil, AdviceAmbiguousFile},
		{"reconciled", queue.ReasonAmbiguous, "create", 0, &ledger.Entry{State: ledger.Dead, Resume: ledger.Claimed, Twin: "another"}, AdviceTwin},
		{"source", queue.ReasonAttachmentSource, "attach", 404, nil, AdviceSource},
		{"endpoint", queue.ReasonAttachmentEndpoint, "attach", 0, nil, AdviceEndpoint},
		{"held too long", queue.ReasonHeldTooLong, "create", 503, nil, AdviceHeld},
		{"exhausted", queue.ReasonRetriesExhausted, "create", 503, nil, AdviceExhausted},
		{"exhausted, unknown", queue.ReasonRetriesExhausted, "", 0, nil, AdviceExhausted},
		{"exhausted by a key", queue.ReasonRetriesExhausted, "create", 401, nil, AdviceKey},
		{"exhausted by a key, for a file", queue.ReasonRetriesExhausted, "attach", 403, nil, AdviceKey},
		{"exhausted in doubt", queue.ReasonRetriesExhausted, "create", 503, &ledger.Entry{State: ledger.Creating}, AdviceAmbiguous},
		{"exhausted in doubt about a file", queue.ReasonRetriesExhausted, "attach", 503, &attaching, AdviceAmbiguousFile},
		{"dropped", queue.ReasonRejected, "create", 400, &ledger.Entry{State: ledger.Dead, Generation: 1, Last: &ledger.Fault{Reason: ledger.ReasonDropped}}, AdviceDropped},
		{"done", queue.ReasonRejected, "create", 400, &ledger.Entry{State: ledger.Completed}, AdviceLeftover},
	} {
		l := Letter{DeadLetter: queue.DeadLetter{Reason: tc.reason, Stage: tc.stage, Status: tc.status}}
		if got := AdviceFor(l, tc.entry); got.What != tc.want.What {
			t.Errorf("%s: %q", tc.name, got.What)
		}
	}
}

// TestAdviceIsInTheRunbook checks that the runbook gives the same advice as the command.
func TestAdviceIsInTheRunbook(t *testing.T) {
	b, err := os.ReadFile("../../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	runbook := words(string(b))
	for _, a := range EveryAdvice() {
		texts := []string{a.What}
		for _, s := range a.Steps {
			texts = append(texts, "- "+s.Text)
			if s.Command != "" {
				texts = append(texts, "fairbridge "+strings.ReplaceAll(s.Command, "{id}", "ID"))
			}
		}
		for _, text := range texts {
			if !strings.Contains(runbook, words(text)) {
				t.Errorf("docs/dead-letters.md lacks %q", text)
			}
		}
	}
	for _, r := range queue.Reasons() {
		if !strings.Contains(string(b), "\n### "+string(r)+"\n") {
			t.Errorf("docs/dead-letters.md has no section for %s", r)
		}
	}
}
