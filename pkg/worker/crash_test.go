package worker_test

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// TestTheNeighboursOfWhatKillsItsWorkers checks that a delivery which kills its worker
// affects its batch only once: the other nine become tickets.
func TestTheNeighboursOfWhatKillsItsWorkers(t *testing.T) {
	w := newWorld(t, lookUpRoute)
	var ids []string
	for n := range 10 {
		ids = append(ids, w.send(feedback(n)))
	}
	killer := ids[3]
	for range 20 {
		w.clock.Advance(16 * time.Minute)
		proc := w.start(nil)
		proc.killer = killer
		messages := w.receive(w.work)
		if len(messages) == 0 {
			break
		}
		response, err := proc.handler.Handle(t.Context(), eventOf(messages))
		w.must(err)
		proc.deleteAllBut(messages, response)
	}
	if l := w.onlyLetter(); l.Reason != queue.ReasonWorkerDied || l.DeliveryID != killer || w.count(w.work) != 0 {
		t.Errorf("%d wait, dead letter %+v", w.count(w.work), l)
	}
	w.checkInvariants(ids...)
}

// TestDeliveryThatKillsItsWorkers checks that a delivery which kills every worker, by its
// size or through a bug, becomes a dead letter after five attempts alone with its worker.
// After a fix, a replay continues where the workers died.
func TestDeliveryThatKillsItsWorkers(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(feedback(1))
	attempts := 0
	for ; w.count(w.work) > 0; attempts++ {
		w.clock.Advance(16 * time.Minute) // the queue's own timeout, since the worker died before it changed it
		proc := w.start(&plan{at: "source.Open#1", form: dies})
		messages := w.receive(w.work)
		response, err := proc.handler.Handle(t.Context(), eventOf(messages))
		w.must(err)
		proc.deleteAllBut(messages, response)
		if attempts > 20 {
			t.Fatal("the message is redelivered without end")
		}
	}
	e := w.entry(id)
	if l := w.onlyLetter(); l.Reason != queue.ReasonWorkerDied || l.DeliveryID != id {
		t.Errorf("dead letter %+v", l)
	}
	// The first time it was not alone; the last time no worker died.
	if e.Last == nil || !strings.Contains(e.Last.Text, "without recording a result") || e.Attempts != 1+5+1 || e.Progress() != ledger.Created {
		t.Errorf("after %d receives: entry %+v, %+v", attempts, e, e.Last)
	}
	w.checkInvariants(id)

	w.clock.Advance(ledger.Lease)
	w.redrive()
	w.settle(nil)
	w.checkInvariants(id)
	if n := len(w.tickets(id)); n != 1 || w.count(w.dead) != 0 {
		t.Errorf("%d tickets, %d dead letters", n, w.count(w.dead))
	}
}
