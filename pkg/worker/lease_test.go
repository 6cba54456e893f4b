package worker_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/ledger"
)

// TestLeaseAndVisibilityAreRenewedTogether checks that during an attempt the lease and the
// message's visibility timeout are renewed together, every 40 s: neither expires, and a
// crash releases both at about the same time.
func TestLeaseAndVisibilityAreRenewedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		const long = 10*time.Minute - 20*time.Second
		b.open = func(ctx context.Context) error { return pass(ctx, long) }
		message, id := b.message(1, true)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.handle(t.Context(), message)
		}()
		for working := true; working; {
			select {
			case <-done:
				working = false
				continue
			case <-time.After(7 * time.Second):
			}
			// Every 280 s the check coincides with a renewal: let the worker go first.
			synctest.Wait()
			now, e := time.Now(), b.entry(id)
			if left := e.LeaseUntil.Sub(now); left < 80*time.Second || left > 2*time.Minute {
				t.Errorf("%s after the start the lease has %s left", time.Since(b.began), left)
			}
			if apart := b.hiddenUntil().Sub(e.LeaseUntil).Abs(); apart > time.Second {
				t.Errorf("%s after the start the lease and the visibility timeout end %s apart", time.Since(b.began), apart)
			}
		}
		var want []time.Duration
		for at := time.Duration(0); at < long; at += 40 * time.Second {
			want = append(want, at)
		}
		if !slices.Equal(b.hides, want) {
			t.Errorf("hidden at %v, want %v", b.hides, want)
		}
		if e := b.entry(id); e.Owner != "" || b.letters != 1 {
			t.Errorf("%d dead letters, final entry %+v", b.letters, e)
		}
	})
}

// TestWorkEndsWithTheLease checks that a worker that cannot renew its lease before another
// claims the delivery stops, and overwrites nothing.
func TestWorkEndsWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, parkRoute)
		claimed := make(chan struct{})
		var stopped time.Duration
		b.open = func(ctx context.Context) error {
			close(claimed)
			err := pass(ctx, time.Hour)
			stopped = time.Since(b.began)
			if !errors.Is(context.Cause(ctx), ledger.ErrConflict) {
				t.Errorf("the work was cancelled by %v", context.Cause(ctx))
			}
			return err
		}
		message, id := b.message(1, true)
		var unreachable atomic.Bool // the worker cannot reach its ledger
		b.put = func(context.Context, ledger.Record) error {
			if unreachable.Load() {
				return errors.New("no answer")
			}
			return nil
		}
		go func() {
			<-claimed
			unreachable.Store(true)
			time.Sleep(ledger.Lease + time.Second)
			other, err := b.another().Claim(t.Context(), id, ledger.Message{})
			b.must(err)
			b.must(other.Attaching(t.Context(), "screenshot"))
			unreachable.Store(false)
		}()
		left := b.handle(t.Context(), message)
		if o := b.outcomes[id]; o.Err == nil || len(left) != 1 {
			t.Errorf("outcome %+v, left %v", o, left)
		}
		if stopped > ledger.Lease+41*time.Second {
			t.Errorf("stopped after %s", stopped)
		}
		if e := b.entry(id); e.Attaching != "screenshot" || !e.HeldAt(time.Now()) || e.Attempts != 2 || b.letters != 0 {
			t.Errorf("%d dead letters, the other worker's entry %+v", b.letters, e)
		}
	})
}
