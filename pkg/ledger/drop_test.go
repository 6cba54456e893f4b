package ledger_test

import (
	"errors"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
)

func TestDrop(t *testing.T) {
	const why = "a tester's joke"
	passedOver := func(b *bench, generation int) {
		b.t.Helper()
		var done *ledger.DoneError
		if _, err := b.Claim(b.t.Context(), "d1", message(generation)); !errors.As(err, &done) {
			b.t.Errorf("a message of generation %d: %v", generation, err)
		}
	}
	t.Run("dead", func(t *testing.T) {
		b := newBench(t)
		c := b.claim(0)
		b.must(c.Creating(t.Context(), ledger.Where{}))
		b.must(c.Created(t.Context(), "5", nil, nil))
		b.must(c.Died(t.Context(), ledger.Fault{Reason: "attachment_source", Stage: "attach", Status: 403, Text: "HTTP 403"}, false))
		b.must(b.Drop(t.Context(), "d1", 1, why))
		e := b.entry()
		if e.State != ledger.Dead || e.TicketID != "5" || e.Last.Reason != ledger.ReasonDropped || e.Last.Status != 403 ||
			e.Last.Text != "a tester's joke (it had failed at attach: HTTP 403)" {
			t.Errorf("entry %+v, last %+v", e, e.Last)
		}
		for generation := range 2 {
			passedOver(b, generation)
		}
		// A letter imported again has the ledger's generation.
		if e := b.claim(e.Generation).Entry(); e.State != ledger.Created {
			t.Errorf("claimed again as %+v", e)
		}
	})
	t.Run("twice", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(0).Died(t.Context(), ledger.Fault{Reason: "rejected", Stage: "create", Status: 400, Text: "no"}, true))
		for _, why := range []string{"first", "second", "third"} {
			b.must(b.Drop(t.Context(), "d1", 1, why))
		}
		if e := b.entry(); e.Last.Text != "third (it had failed at create: no)" || e.Last.Status != 400 ||
			e.State != ledger.Dead || e.Resume != ledger.Claimed || e.Generation != 2 {
			t.Errorf("entry %+v, last %+v", e, e.Last)
		}
		passedOver(b, 1)
		// The letter returns with the ledger's generation. Dropping an old copy does not
		// affect it, but it can itself be dropped.
		b.must(b.Drop(t.Context(), "d1", 1, "an old copy"))
		b.must(b.claim(2).Release(t.Context(), ledger.Fault{Stage: "create", Text: "busy"}, true, 0))
		b.must(b.Drop(t.Context(), "d1", 2, "fourth"))
		b.must(b.Drop(t.Context(), "d1", 3, "imported, and not replayed"))
		if e := b.entry(); e.Generation != 4 || e.Last.Text != "imported, and not replayed (it had failed at create: busy)" {
			t.Errorf("entry %+v, last %+v", e, e.Last)
		}
		passedOver(b, 3)
	})
	t.Run("twice, of unknown cause", func(t *testing.T) {
		b := newBench(t)
		b.must(b.Drop(t.Context(), "d1", 1, "first"))
		b.must(b.Drop(t.Context(), "d1", 1, "second"))
		if e := b.entry(); e.Last.Text != "second" || e.Generation != 2 {
			t.Errorf("entry %+v, last %+v", e, e.Last)
		}
	})
	t.Run("moved by SQS", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(0).Release(t.Context(), ledger.Fault{Stage: "create", Status: 500, Text: "no"}, true, 0))
		b.must(b.Drop(t.Context(), "d1", 0, why))
		passedOver(b, 0)
	})
	t.Run("unknown", func(t *testing.T) {
		b := newBench(t)
		b.must(b.Drop(t.Context(), "d1", 2, why))
		if e := b.entry(); e.Generation != 3 || e.Last.Text != why || e.Resume != ledger.Claimed {
			t.Errorf("entry %+v", e)
		}
		passedOver(b, 2)
	})
	t.Run("completed stays completed", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(1).Completed(t.Context()))
		b.must(b.Drop(t.Context(), "d1", 1, why))
		if e := b.entry(); e.State != ledger.Completed || e.Generation != 1 || e.Last.Text != why {
			t.Errorf("entry %+v", e)
		}
	})
	t.Run("held by a worker", func(t *testing.T) {
		b := newBench(t)
		b.claim(0)
		var held *ledger.HeldError
		if err := b.Drop(t.Context(), "d1", 0, why); !errors.As(err, &held) {
			t.Errorf("held: %v", err)
		}
		b.now = b.now.Add(2 * time.Minute)
		b.must(b.Drop(t.Context(), "d1", 0, why))
	})
}

// TestDropWithAFault checks that, as with every write of the ledger, one failure is
// recovered from, whether or not the write was carried out.
func TestDropWithAFault(t *testing.T) {
	fault := errors.New("connection reset")
	for _, replyLost := range []bool{false, true} {
		b := newBench(t)
		b.must(b.claim(0).Died(t.Context(), ledger.Fault{Reason: "mapping"}, false))
		puts := b.store.puts
		b.store.fault = func(i int, _ ledger.Record) (error, error) {
			switch {
			case i != puts+1:
				return nil, nil
			case replyLost:
				return nil, fault
			}
			return fault, nil
		}
		b.must(b.Drop(t.Context(), "d1", 1, "why"))
		if e := b.entry(); e.Generation != 2 || e.Last.Reason != ledger.ReasonDropped {
			t.Errorf("reply lost %v: %+v", replyLost, e)
		}
	}
}

// TestDropRacesWithAClaim checks that a worker which claims the delivery at the same time
// either wins or loses entirely.
func TestDropRacesWithAClaim(t *testing.T) {
	b := newBench(t)
	b.must(b.claim(0).Died(t.Context(), ledger.Fault{Reason: "mapping"}, false))
	raced := false
	b.store.fault = func(int, ledger.Record) (error, error) {
		if !raced {
			raced = true
			other := ledgertest.New(t, ledger.Config{Store: &memory{records: b.store.records}, Now: func() time.Time { return b.now }})
			if _, err := other.Claim(t.Context(), "d1", message(1)); err != nil {
				t.Error(err)
			}
		}
		return nil, nil
	}
	var held *ledger.HeldError
	if err := b.Drop(t.Context(), "d1", 1, "why"); !errors.As(err, &held) {
		t.Errorf("dropped while a worker claimed it: %v", err)
	}
}
