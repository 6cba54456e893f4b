package worker_test

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// A delivery that kills each worker that takes it, by its size or by a bug, ends
// as a dead letter as well, and the ledger says what is known of the reason. When
// it is mended, a replay goes on from where the workers died.
func TestDeliveryThatKillsItsWorkers(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(feedback(1))
	attempts := 0
	for ; w.count(w.work) > 0; attempts++ {
		w.clock.Advance(16 * time.Minute) // the queue's own time, if the worker had not come to hide it
		proc := w.start(&plan{at: "source.Open#1", form: dies})
		_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
		w.must(err)
		if attempts > 20 {
			t.Fatal("the message does not end")
		}
	}
	e := w.entry(id)
	if l := w.onlyLetter(); l.Reason != "" || l.DeliveryID != id {
		t.Errorf("dead letter %+v", l)
	}
	if e.Last == nil || !strings.Contains(e.Last.Text, "died") || e.Attempts != 8 || e.State != ledger.Created {
		t.Errorf("after %d receives the ledger has %+v, %+v", attempts, e, e.Last)
	}
	w.checkInvariants(id)

	w.clock.Advance(ledger.DefaultLease)
	w.redrive()
	w.settle(nil)
	w.checkInvariants(id)
	if n := len(w.tickets(id)); n != 1 || w.count(w.dead) != 0 {
		t.Errorf("%d tickets, %d dead letters", n, w.count(w.dead))
	}
}
