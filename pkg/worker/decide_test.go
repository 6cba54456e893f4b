package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// TestDecide checks the decision for each error, row by row.
func TestDecide(t *testing.T) {
	status := func(code int) error { return &centercode.Error{Op: centercode.OpCreateTicket, Status: code} }
	buried := func(reason queue.Reason, code int) decision {
		return decision{action: bury, reason: reason, status: code}
	}
	reset := errors.New("connection reset by peer")
	type row struct {
		name string
		err  error
		want decision
	}
	rows := []row{
		{"not ours", fmt.Errorf("decode: %w", queue.ErrMalformed), buried(queue.ReasonMalformed, 0)},
		{"its event is not JSON", &testfairy.SyntaxError{}, buried(queue.ReasonMalformed, 0)},
		{"no route", mapping.ErrNoRoute, buried(queue.ReasonUnroutable, 0)},
		{"a field cannot be mapped", &mapping.FieldError{}, buried(queue.ReasonMapping, 0)},
		{"no place for a file", final(queue.ReasonAttachmentEndpoint, "no endpoint"), buried(queue.ReasonAttachmentEndpoint, 0)},
		{"not sent, connection refused", &centercode.Error{Err: reset}, decision{action: retry}},
		{"asked to wait", &centercode.Error{Status: 500, RetryAfter: time.Hour}, decision{action: retry, status: 500, after: time.Hour}},
		{"rate limited", &centercode.Error{Status: 429, RetryAfter: time.Minute},
			decision{action: retry, status: 429, after: time.Minute}},
		{"unavailable", status(503), decision{action: retry, status: 503}},
		{"answer lost", &lostAnswerError{err: &centercode.Error{Lost: true, Err: reset}},
			decision{action: answerLost, reason: queue.ReasonAmbiguous}},
		{"a gateway's word", &lostAnswerError{err: &centercode.Error{Status: 504, Lost: true}},
			decision{action: answerLost, reason: queue.ReasonAmbiguous, status: 504}},
		{"found without an answer", &lostAnswerError{found: true}, decision{action: answerLost, reason: queue.ReasonAmbiguous}},
		{"source is gone", &attachment.Error{Permanent: true, Status: 404}, buried(queue.ReasonAttachmentSource, 404)},
		{"source is forbidden", &attachment.Error{Permanent: true}, buried(queue.ReasonAttachmentSource, 0)},
		{"source is slow", &attachment.Error{Status: 503, RetryAfter: time.Second}, decision{action: retry, status: 503, after: time.Second}},
		{"source broke while it was uploaded", &centercode.Error{Err: &centercode.SourceError{Err: &attachment.Error{Permanent: true}}},
			buried(queue.ReasonAttachmentSource, 0)},
		{"another worker has it", fmt.Errorf("write: %w", ledger.ErrConflict), decision{action: handBack}},
		{"has to wait", &waitError{}, decision{action: handBack}},
		{"has to wait by its own doing", &waitError{own: true}, decision{action: handBack, costs: true}},
		{"kills its workers", final(queue.ReasonWorkerDied, "five times"), buried(queue.ReasonWorkerDied, 0)},
		{"reconciled before it arrived", final(queue.ReasonAmbiguous, "a twin"), buried(queue.ReasonAmbiguous, 0)},
		{"cut off before it was sent", &centercode.Error{Err: context.Canceled}, decision{action: retry}},
		{"unknown", errors.New("what is this"), decision{action: retry}},
	}
	lost := decision{action: answerLost, reason: queue.ReasonAmbiguous}
	rows = append(rows,
		row{"refused within a success", &centercode.Error{Status: 200, Final: true}, buried(queue.ReasonRejected, 200)},
		row{"can never be sent", &centercode.Error{Final: true}, buried(queue.ReasonRejected, 0)},
		row{"answered before it had the file", &centercode.Error{Status: 200}, decision{action: retry, status: 200}},
		row{"Centercode's own fault", &centercode.Error{Status: 500, OwnFault: true}, decision{action: retry, status: 500}},
		row{"Centercode's own fault, looked up", &lostAnswerError{denied: true, err: reset}, lost},
		row{"a file's answer lost", &attachError{name: "log", err: &lostAnswerError{err: reset}}, lost},
		row{"a file is elsewhere", &attachError{name: "log", err: final(queue.ReasonAttachmentEndpoint, "%v", reset)}, buried(queue.ReasonAttachmentEndpoint, 0)},
		row{"a bug", &panicError{value: "oops"}, decision{action: retry}},
	)
	for _, code := range []int{400, 405, 409, 410, 411, 413, 415, 422} {
		rows = append(rows, row{http.StatusText(code), status(code), buried(queue.ReasonRejected, code)})
	}
	rows = append(rows, row{"Not Found", status(404), buried(queue.ReasonNotFound, 404)})
	for _, code := range []int{401, 403, 408, 425, 500, 501, 502, 505, 507, 599, 302, 418} {
		rows = append(rows, row{fmt.Sprint(code), status(code), decision{action: retry, status: code}})
	}
	met := map[int]bool{}
	for _, r := range rows {
		met[slices.IndexFunc(rules, func(rule rule) bool { return rule.fits(takeApart(r.err)) })] = true
		if r.want.action == retry {
			r.want.costs = true
		}
		for _, err := range []error{r.err, failed(queue.StageCreate, r.err)} {
			if got := decide(err); got != r.want {
				t.Errorf("%s: %+v, want %+v", r.name, got, r.want)
			}
		}
	}
	for i, r := range rules {
		if !met[i] {
			t.Errorf("no case for: %s", r.what)
		}
	}
}

var update = flag.Bool("update", false, "write the table of errors into docs/failure-modes.md")

// TestTableInDocs compares docs/failure-modes.md with the rules.
func TestTableInDocs(t *testing.T) {
	const path, begin, end = "../../docs/failure-modes.md", "<!-- rules -->\n", "<!-- end of rules -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(doc), begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s lacks the table's markers: %q to %q", path, begin, end)
	}
	var b strings.Builder
	b.WriteString("| what | result |\n| --- | --- |\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| %s | %s |\n", r.what, r.then)
	}
	if table == b.String() {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not up to date: run go test ./pkg/worker -run TestTableInDocs -update", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExhaustedReason: an attempt that was cut off is no evidence against a file's source.
func TestExhaustedReason(t *testing.T) {
	fetcher, err := attachment.New(attachment.Config{AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, cutOff := fetcher.Open(ended, attachment.OpenRequest{URL: "http://127.0.0.1:9/f"})
	for _, tt := range []struct {
		name string
		err  error
		want queue.Reason
	}{
		{"the source was down", &attachment.Error{Status: 503}, queue.ReasonAttachmentSource},
		{"the source broke off during the upload",
			&centercode.Error{Err: &centercode.SourceError{Err: &attachment.Error{}}}, queue.ReasonAttachmentSource},
		{"the attempt was cut off", cutOff, queue.ReasonRetriesExhausted},
		{"Centercode was down", &centercode.Error{Status: 503}, queue.ReasonRetriesExhausted},
	} {
		if got := exhaustedReason(failed(queue.StageAttach, tt.err)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
