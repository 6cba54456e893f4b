package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// TestRestIsHandedBackBeforeTheDeadline checks that ten seconds before an invocation's
// deadline, unfinished deliveries are handed back with their tickets recorded. Finished
// ones stay finished.
func TestRestIsHandedBackBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		b.open = func(ctx context.Context) error { return pass(ctx, time.Hour) }
		slow, slowID := b.message(1, true)
		quick, quickID := b.message(2, false)
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Second)
		defer cancel()
		left := b.handle(ctx, slow, quick)
		if took := time.Since(b.began); took != 890*time.Second {
			t.Errorf("took %s of 900 s", took)
		}
		if !slices.Equal(left, []string{slow.MessageId}) || b.outcomes[quickID].Result != worker.Created {
			t.Errorf("left %v, the quick one: %+v", left, b.outcomes[quickID])
		}
		o, e := b.outcomes[slowID], b.entry(slowID)
		if o.Result != worker.HandedBack || o.RetryIn > 4*time.Second || o.TicketID == "" || b.letters != 0 {
			t.Errorf("%d dead letters, the slow one: %+v", b.letters, o)
		}
		if e.State != ledger.Created || e.Owner != "" || e.Last == nil {
			t.Errorf("entry %+v", e)
		}
		if hidden := time.Until(b.hidden); hidden != o.RetryIn.Truncate(time.Second)+time.Second && hidden != o.RetryIn {
			t.Errorf("the message is hidden for %s, but reported as %s", hidden, o.RetryIn)
		}

		// The next invocation continues, and creates no second ticket.
		b.open = nil
		b.handle(t.Context(), slow)
		if o := b.outcomes[slowID]; o.Result != worker.Dead || o.Stage != "attach" || b.creates != 2 {
			t.Errorf("%d tickets, the next attempt: %+v", b.creates, o)
		}
	})
}

// TestTicketIsNotRequestedLate checks that no ticket is requested if the response might not
// arrive in time: cutting the request off would lose the response.
func TestTicketIsNotRequestedLate(t *testing.T) {
	for _, tc := range []struct {
		name string
		left time.Duration
		want worker.Result
	}{
		{"30 s and the margin", 40 * time.Second, worker.Created},
		{"a second less", 39 * time.Second, worker.HandedBack},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, parkRoute)
				b.create = func(ctx context.Context, _, _ string) error { return pass(ctx, 29*time.Second) }
				message, id := b.message(1, false)
				ctx, cancel := context.WithTimeout(t.Context(), tc.left)
				defer cancel()
				b.handle(ctx, message)
				begun := tc.want == worker.Created
				if o := b.outcomes[id]; o.Result != tc.want || (b.creates == 1) != begun || b.letters != 0 {
					t.Errorf("%d requests, %d dead letters: %+v", b.creates, b.letters, o)
				}
				if e := b.entry(id); e.Owner != "" || !begun && e.State != ledger.Claimed {
					t.Errorf("entry %+v", e)
				}
			})
		})
	}
}

// TestSilentCentercodeIsGivenUp checks that a Centercode that does not respond gets 30 s
// for a ticket, unless the invocation ends earlier.
func TestSilentCentercodeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		b.create = func(ctx context.Context, _, _ string) error {
			return &centercode.Error{Op: centercode.OpCreateTicket, Lost: true, Err: pass(ctx, time.Hour)}
		}
		message, id := b.message(1, false)
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		left := b.handle(ctx, message)
		if took := time.Since(b.began); took != 30*time.Second || len(left) != 0 {
			t.Errorf("given up after %s, left %v", took, left)
		}
		if o := b.outcomes[id]; o.Result != worker.Dead || o.Reason != queue.ReasonAmbiguous || b.letters != 1 {
			t.Errorf("%d dead letters: %+v", b.letters, o)
		}
	})
}

// TestSlowLedgerIsAwaited checks that a slow disk or table gets all the time there is, so
// that progress is recorded and the lease released.
func TestSlowLedgerIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		b.handler.Margin = 2 * time.Second // the embedded home's
		b.put = func(ctx context.Context, _ ledger.Record) error { return pass(ctx, 5*time.Second) }
		message, id := b.message(1, true)
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Second)
		defer cancel()
		b.handle(ctx, message)
		if o := b.outcomes[id]; o.Result != worker.Dead || o.Stage != "attach" {
			t.Errorf("outcome %+v", o)
		}
		if e := b.entry(id); e.TicketID == "" || e.State != ledger.Dead || e.Owner != "" {
			t.Errorf("entry %+v", e)
		}
	})
}

// TestHangingLedgerIsGivenUp checks that a hanging ledger is given up before the
// invocation's deadline.
func TestHangingLedgerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		b.open = func(ctx context.Context) error { return pass(ctx, time.Hour) }
		b.put = func(ctx context.Context, _ ledger.Record) error {
			if time.Since(b.began) < 45*time.Second {
				return nil
			}
			return pass(ctx, time.Hour)
		}
		message, id := b.message(1, true)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		left := b.handle(ctx, message)
		if took := time.Since(b.began); took > 57*time.Second || len(left) != 1 {
			t.Errorf("took %s of a minute, left %v", took, left)
		}
		o := b.outcomes[id]
		if o.Result != worker.HandedBack || o.Err == nil || !strings.Contains(o.Err.Error(), "write delivery") {
			t.Errorf("the outcome does not report the ledger's failure: %+v", o)
		}
	})
}
