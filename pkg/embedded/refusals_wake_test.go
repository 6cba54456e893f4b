package embedded

import (
	"context"
	"testing"
	"time"

	"fairbridge/pkg/ingest"
)

type deaf struct{}

func (deaf) Report(context.Context, ingest.Outcome) {}

// TestAcceptedWebhookWakesRefusals checks that a failed write is retried at the next
// accepted webhook, since the disk has room then, and that with nothing left to write no
// webhook wakes the writer.
func TestAcceptedWebhookWakesRefusals(t *testing.T) {
	r := newRefusals(nil, time.Now)
	report := r.Reporting(deaf{})
	woken := func(o ingest.Outcome) bool {
		report.Report(t.Context(), o)
		select {
		case <-r.wake:
			return true
		default:
			return false
		}
	}
	accepted := ingest.Outcome{Result: ingest.Accepted, Status: 202}
	if woken(accepted) {
		t.Error("woken with nothing to write")
	}
	if !woken(ingest.Outcome{Result: ingest.Failed, Status: 503, Reason: ingest.ReasonNotQueued}) {
		t.Error("not woken by a refusal")
	}
	if woken(ingest.Outcome{Result: ingest.Ignored, Status: 200, Reason: ingest.ReasonNoEvent}) {
		t.Error("woken by an outcome that is not recorded")
	}
	if !woken(accepted) {
		t.Error("not woken by an accepted webhook while a refusal is unwritten")
	}
}
