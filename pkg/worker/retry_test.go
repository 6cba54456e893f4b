package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

func TestRetryWaitsAsLongAsCentercodeAsks(t *testing.T) {
	for _, tc := range []struct {
		name, retryAfter string
		atLeast, atMost  time.Duration
	}{
		{"no word", "", time.Second, 2 * time.Second},
		{"seconds", "600", 600 * time.Second, 600 * time.Second},
		{"a date", time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat), time.Hour, time.Hour},
		{"days", "1000000", time.Hour, time.Hour},
		{"nonsense", "soon", time.Second, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, parkRoute)
			w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 500, RetryAfter: tc.retryAfter})
			id := w.send(feedback(1))
			o := w.only(w.once())
			asksMore := strings.Contains(o.Err.Error(), "Retry-After asks for ") && strings.Contains(o.Err.Error(), " of which 1h0m0s is granted")
			if asksMore != (tc.atLeast == time.Hour) || asksMore != strings.Contains(w.entry(id).Last.Text, "Retry-After asks for ") {
				t.Errorf("Retry-After: outcome %v, entry %+v", o.Err, w.entry(id).Last)
			}
			if o.Result != worker.Retry || o.Status != 500 || o.RetryIn < tc.atLeast || o.RetryIn > tc.atMost {
				t.Fatalf("outcome %+v, want a retry in %s to %s", o, tc.atLeast, tc.atMost)
			}
			w.clock.Advance(o.RetryIn - time.Second)
			if early := w.receive(w.work); len(early) != 0 {
				t.Error("the message was redelivered too early")
			}
			w.clock.Advance(2 * time.Second)
			if o := w.only(w.once()); o.Result != worker.Created || o.Attempt != 2 {
				t.Errorf("second attempt: %+v", o)
			}
			w.checkInvariants(id)
		})
	}
}

// TestRetryWaitsAsLongAsASourceAsks checks that a source's request for a longer wait than
// is granted is reported too.
func TestRetryWaitsAsLongAsASourceAsks(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.testfairy.Inject("/1.jpg", testfairysim.Fault{Times: 1, Status: 429, Header: http.Header{"Retry-After": {"86400"}}})
	id := w.send(feedback(1))
	o := w.only(w.once())
	const text = "Retry-After asks for 24h0m0s, of which 1h0m0s is granted"
	if o.Result != worker.Retry || o.RetryIn != time.Hour || !strings.Contains(o.Err.Error(), text) || !strings.Contains(w.entry(id).Last.Text, text) {
		t.Errorf("outcome %+v, entry %+v", o, w.entry(id).Last)
	}
	w.settle(nil)
	w.checkInvariants(id)
}

// TestRetriesEnd checks that a delivery that keeps failing becomes a dead letter when its
// patience runs out, with its last error. A replay gets new patience.
func TestRetriesEnd(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.patience = 5 * time.Minute
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 500, Times: -1})
	id := w.send(feedback(1))
	if n := len(w.settle(nil)); n < 9 || n > 10 {
		t.Errorf("%d attempts in five minutes, want 9 or 10", n)
	}
	l := w.onlyLetter()
	if l.Reason != queue.ReasonRetriesExhausted || l.DeliveryID != id || l.Status != 500 || l.Stage != queue.StageCreate || l.Description == "" {
		t.Errorf("dead letter %+v", l)
	}
	if e := w.entry(id); e.Last == nil || e.Last.Status != 500 || e.Last.Stage != "create" || e.Waited < w.patience {
		t.Errorf("entry %+v, %+v", e, e.Last)
	}
	w.redrive()
	if o := w.only(w.once()); o.Result != worker.Retry || w.entry(id).Waited > time.Minute {
		t.Errorf("replayed: %+v", o)
	}
	w.center.Heal()
	w.settle(nil)
	w.checkInvariants(id)
}

// TestWrongKeyIsARetry checks that a wrong key does not turn the queue into dead letters,
// and that the right one is used without a restart.
func TestWrongKeyIsARetry(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.keys.cached, w.keys.stored = "wrong", "wrong"
	id := w.send(feedback(1))
	if o := w.only(w.once()); o.Result != worker.Retry || o.Status != 401 {
		t.Fatalf("outcome %+v", o)
	}
	w.keys.stored = apiKey
	w.clock.Advance(time.Minute)
	if o := w.only(w.once()); o.Result != worker.Created {
		t.Fatalf("with the right key: %+v", o)
	}
	w.checkInvariants(id)
}

// TestHeldDeliveryWaits checks that a copy of a message whose delivery is held waits, at
// first shortly, and then longer than the lease.
func TestHeldDeliveryWaits(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(feedback(1))
	claim, err := w.ledger().Claim(t.Context(), id, ledger.Message{})
	w.must(err)
	began := w.clock.Now()
	for receive := range 7 {
		w.must(claim.Renew(t.Context()))
		o := w.only(w.once())
		if o.Result != worker.HandedBack || receive == 0 && o.RetryIn > 3*time.Second {
			t.Fatalf("receive %d: %+v", receive+1, o)
		}
		w.clock.Advance(o.RetryIn + time.Second)
	}
	if waited := w.clock.Now().Sub(began); waited < 12*time.Minute {
		t.Errorf("seven receives were used up in %s", waited)
	}
	if n := w.center.Requests().Create; n != 0 {
		t.Errorf("%d requests for a ticket that another worker creates", n)
	}
	w.must(claim.Release(t.Context(), ledger.Fault{Text: "test"}, true, 0))
	w.settle(nil)
	w.checkInvariants(id)
}

// TestCrashIsPickedUpAfterTheLease checks that a crashed invocation's delivery is claimed
// again after about two minutes, although the queue hides messages for a quarter of an
// hour.
func TestCrashIsPickedUpAfterTheLease(t *testing.T) {
	w := newWorld(t, lookUpRoute)
	id := w.send(feedback(1))
	proc := w.start(&plan{at: "centercode.create#1", form: diesDone})
	_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	w.clock.Advance(ledger.Lease + time.Second)
	if o := w.only(w.once()); o.Result != worker.Created || o.Attempt != 2 {
		t.Errorf("after the lease: %+v", o)
	}
	w.checkInvariants(id)
}

func TestLookUpWaitsForTheDataPackage(t *testing.T) {
	w := newWorld(t, lookUpRoute)
	w.center.Inject(lostAnswer)
	id := w.send(feedback(1))
	o := w.only(w.once())
	if o.Result != worker.HandedBack || o.RetryIn < 55*time.Second || o.RetryIn > 60*time.Second {
		t.Errorf("outcome %+v, want handed back for the settle time", o)
	}
	w.clock.Advance(time.Minute)
	if o := w.only(w.once()); o.Result != worker.Created || o.TicketID != "1" {
		t.Errorf("after the settle time: %+v", o)
	}
	w.checkInvariants(id)
}

func TestLookUpThatCannotWorkParks(t *testing.T) {
	w := newWorld(t, strings.Replace(lookUpRoute, "Delivery ID", "No Such Column", 1))
	w.center.Inject(lostAnswer)
	id := w.send(feedback(1))
	w.settle(nil)
	if l := w.onlyLetter(); l.Reason != queue.ReasonAmbiguous || !strings.Contains(l.Description, "No Such Column") {
		t.Errorf("dead letter %+v", l)
	}
	w.checkInvariants(id)
	if n := len(w.tickets(id)); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// TestLostAnswerRetried checks that with onLostAnswer: retry there is always a ticket, and
// sometimes two.
func TestLostAnswerRetried(t *testing.T) {
	w := newWorld(t, strings.NewReplacer("source: testfairy", "source: testfairy\n    onLostAnswer: retry", "onLostAnswer: park", "onLostAnswer: retry").Replace(parkRoute))
	w.center.Inject(lostAnswer)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, After: true, Drop: true})
	id := w.send(feedback(1))
	w.settle(nil)
	if n := len(w.tickets(id)); n != 2 {
		t.Errorf("%d tickets, want 2", n)
	}
	if n := w.count(w.dead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}
