package worker_test

import (
	"testing"
	"time"

	"fairbridge/pkg/worker"
)

// Nobody listens at Centercode's port for five minutes, in which feedback goes on to
// come: nothing is given up, and when the port is open again all of it becomes
// tickets, whole.
func TestOutage(t *testing.T) {
	w := newWorld(t, parkRoute)
	open := w.centerURL
	w.centerURL = "http://127.0.0.1:1"
	var ids []string
	for end := w.clock.Now().Add(5 * time.Minute); w.clock.Now().Before(end); {
		ids = append(ids, w.send(feedback(len(ids)+1)))
		for _, o := range w.once() {
			if o.Result != worker.Retry && o.Result != worker.Held {
				t.Errorf("while nobody listens: %+v", o)
			}
		}
		w.clock.Advance(10 * time.Second)
	}
	if n := len(w.center.Tickets()); n != 0 || w.count(w.work) != len(ids) {
		t.Errorf("%d tickets; %d messages wait of %d", n, w.count(w.work), len(ids))
	}
	w.centerURL = open
	w.settle(nil)
	w.checkInvariants(ids...)
	for _, id := range ids {
		w.files(id, "screenshot")
	}
	if n := w.count(w.dead); n != 0 {
		t.Errorf("%d dead letters: %+v", n, w.letters())
	}
}
