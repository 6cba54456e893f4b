package worker_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// TestOutage closes Centercode's port for five minutes while feedback keeps arriving:
// nothing becomes a dead letter, and once the port is open again, all of it becomes
// complete tickets.
func TestOutage(t *testing.T) {
	w := newWorld(t, parkRoute)
	open := w.centerURL
	w.centerURL = "http://127.0.0.1:1"
	var ids []string
	for end := w.clock.Now().Add(5 * time.Minute); w.clock.Now().Before(end); {
		ids = append(ids, w.send(feedback(len(ids)+1)))
		for _, o := range w.once() {
			if o.Result != worker.Retry && o.Result != worker.Held {
				t.Errorf("during the outage: %+v", o)
			}
		}
		w.clock.Advance(10 * time.Second)
	}
	if n := len(w.center.Tickets()); n != 0 || w.count(w.work) != len(ids) {
		t.Errorf("%d tickets; %d of %d messages wait", n, w.count(w.work), len(ids))
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

// TestTestFairyIsDown checks that an outage of TestFairy does not open Centercode's
// breaker: tickets are created, other deliveries are completed, and the file follows when
// TestFairy is back. If that takes longer than the delivery's patience, the ticket stays
// and a dead letter is written.
func TestTestFairyIsDown(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lasts time.Duration
		dead  int
	}{{"for an hour", time.Hour, 0}, {"for longer than patience", 4 * time.Hour, 6}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, parkRoute)
			w.patience = 2 * time.Hour
			var ids []string
			for n := range 6 {
				w.testfairy.Inject(fmt.Sprintf("/%d.jpg", n), testfairysim.Fault{Status: 503})
				ids = append(ids, w.send(feedback(n)))
			}
			for end := w.clock.Now().Add(tc.lasts); w.clock.Now().Before(end) && w.count(w.work) > 0; w.sleep() {
				w.once()
			}
			whole := w.send(feedback(6))
			w.once()
			w.files(whole, "screenshot")
			for _, id := range ids {
				if n := len(w.tickets(id)); n != 1 {
					t.Errorf("%d tickets of %s while TestFairy is down", n, id)
				}
			}
			if _, err := w.store.Get(t.Context(), "#breaker/DEMO"); !errors.Is(err, ledger.ErrNotFound) {
				t.Errorf("the breaker is open: %v", err)
			}
			for n := range 6 {
				w.testfairy.Heal(fmt.Sprintf("/%d.jpg", n))
			}
			w.settle(nil)
			w.checkInvariants(ids...)
			letters := w.letters()
			for _, l := range letters {
				if l.Reason != queue.ReasonAttachmentSource {
					t.Errorf("a dead letter: %+v", l)
				}
			}
			if len(letters) != tc.dead {
				t.Errorf("%d dead letters, want %d", len(letters), tc.dead)
			}
			if tc.dead == 0 {
				for _, id := range ids {
					w.files(id, "screenshot")
				}
			}
		})
	}
}

// TestAFailedAttemptWaitsAsIfHeld checks that a delivery which has failed for long waits no
// longer than held ones once its project's breaker is open: it may be the one that finds
// Centercode back.
func TestAFailedAttemptWaitsAsIfHeld(t *testing.T) {
	w := newWorld(t, forFeedback)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 503, Times: -1})
	old := w.send(feedback(0))
	for end := w.clock.Now().Add(time.Hour); w.clock.Now().Before(end); w.sleep() {
		w.once()
	}
	proc := w.start(nil)
	for n := range 5 {
		w.send(feedback(n + 1))
	}
	_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	w.clock.Advance(16 * time.Minute) // the longest delay, plus the queue's timeout
	waiting := slices.DeleteFunc(w.receive(w.work), func(m types.Message) bool { return !strings.Contains(aws.ToString(m.Body), old) })
	proc.outcomes = nil
	_, err = proc.handler.Handle(t.Context(), eventOf(waiting))
	w.must(err)
	if o := w.only(proc.outcomes); o.Result != worker.Retry || !o.Hold.Open || len(o.Receipts) != 1 || o.RetryIn > 4*time.Minute {
		t.Errorf("outcome %+v", o)
	}
	if e := w.entry(old); e.Waited < time.Hour {
		t.Errorf("its own delays add up to %s", e.Waited)
	}
}
