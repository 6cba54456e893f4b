package worker_test

import (
	"context"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// setsBack sets the clock back after a write.
type setsBack struct {
	ledger.Store
	clock *clock
	by    time.Duration
}

func (s *setsBack) Put(ctx context.Context, r ledger.Record) error {
	err := s.Store.Put(ctx, r)
	s.clock.Advance(-s.by)
	s.by = 0
	return err
}

// TestClockGoesBackDuringAttempt checks that a clock set back during an attempt, between
// the claim and the check of when the request was announced, makes no look-up wait longer
// than its settle time.
func TestClockGoesBackDuringAttempt(t *testing.T) {
	w := newWorld(t, lookUpRoute)
	id := w.send(feedback(1))
	proc := w.start(&plan{at: "centercode.create#1", form: diesDone})
	messages := w.receive(w.work)
	_, err := proc.handler.Handle(t.Context(), eventOf(messages))
	w.must(err)
	if !proc.isDead() || len(w.tickets(id)) != 1 {
		t.Fatalf("dead %t, %d tickets", proc.isDead(), len(w.tickets(id)))
	}
	w.clock.Advance(time.Hour)
	store := w.store
	messages = w.receive(w.work)
	w.store = &setsBack{store, w.clock, 24 * time.Hour}
	response, err := w.start(nil).handler.Handle(t.Context(), eventOf(messages))
	w.must(err)
	w.store = store
	if len(messages) != 1 || len(response.BatchItemFailures) != 1 {
		t.Fatalf("%d messages, %v", len(messages), response)
	}
	w.clock.Advance(w.config.Routes[0].Lookup.Settle + time.Second)
	if again := w.receive(w.work); len(again) != 1 {
		t.Error("still waits after the settle time")
	}
}
