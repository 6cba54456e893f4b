package embedded

import (
	"context"
	"testing"
	"time"

	"fairbridge/pkg/ingest"
)

type deaf struct{}

func (deaf) Report(context.Context, ingest.Outcome) {}

// What could not be written is tried again with the next webhook that is accepted,
// since the disk has room then; where nothing is left to write, none is disturbed.
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
		t.Error("woken by what is not written")
	}
	if !woken(accepted) {
		t.Error("not woken by what was written")
	}
}
