package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// TestDecide is DESIGN.md's table of errors.
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
		{"a field cannot be made", &mapping.FieldError{}, buried(queue.ReasonMapping, 0)},
		{"no place for a file", &endpointError{element: "log"}, buried(queue.ReasonAttachmentEndpoint, 0)},
		{"not sent, connection refused", &centercode.Error{Err: reset}, decision{action: retry}},
		{"asked to wait", &centercode.Error{Status: 500, RetryAfter: time.Hour}, decision{action: retry, status: 500, after: time.Hour}},
		{"rate limited", &centercode.Error{Status: 429, RetryAfter: time.Minute},
			decision{action: retry, status: 429, after: time.Minute, overloaded: true}},
		{"unavailable", status(503), decision{action: retry, status: 503, overloaded: true}},
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
		{"has to wait", &waitError{after: time.Minute}, decision{action: handBack, after: time.Minute}},
		{"cut off before it was sent", &centercode.Error{Err: context.Canceled}, decision{action: retry}},
		{"unknown", errors.New("what is this"), decision{action: retry}},
	}
	for _, code := range []int{400, 405, 409, 410, 413, 415, 422} {
		rows = append(rows, row{http.StatusText(code), status(code), buried(queue.ReasonRejected, code)})
	}
	rows = append(rows, row{"Not Found", status(404), buried(queue.ReasonNotFound, 404)})
	for _, code := range []int{401, 403, 408, 425, 500, 501, 502, 505, 507, 599, 302, 418} {
		rows = append(rows, row{fmt.Sprint(code), status(code), decision{action: retry, status: code}})
	}
	for _, r := range rows {
		for _, err := range []error{r.err, failed(queue.StageCreate, r.err)} {
			if got := decide(err); got != r.want {
				t.Errorf("%s: %+v, want %+v", r.name, got, r.want)
			}
		}
	}
}

func TestBackoffIsFullJitter(t *testing.T) {
	for receives := range 40 {
		bound := backoffCap
		if receives < 10 {
			bound = min(backoffCap, backoffBase<<max(receives-1, 0))
		}
		low, high := time.Duration(1<<62), time.Duration(0)
		for range 2000 {
			d := backoff(receives)
			low, high = min(low, d), max(high, d)
		}
		if low < time.Second || high > bound+time.Second {
			t.Errorf("receive %d: %s to %s, want within 1 s and %s", receives, low, high, bound+time.Second)
		}
		if high-low < bound/2 {
			t.Errorf("receive %d: only %s to %s, not spread over %s", receives, low, high, bound)
		}
	}
}
