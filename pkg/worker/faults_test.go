package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// scenario is a course that a delivery may take. fix is what a person does about its dead
// letter before replaying it.
type scenario struct {
	name   string
	routes string
	upset  func(*world)
	fix    func(*world)
	// withLog adds a log to the screenshot.
	withLog bool
}

// lostAnswer creates the ticket and does not respond.
var lostAnswer = centercodesim.Fault{Op: centercodesim.OpCreate, After: true, Drop: true}

var scenarios = []scenario{
	{name: "a ticket with its screenshot", routes: parkRoute},
	{name: "looked up", routes: lookUpRoute, upset: func(w *world) {
		w.center.Inject(lostAnswer)
	}},
	{name: "retried", routes: parkRoute, upset: func(w *world) {
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 500})
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 503})
	}},
	{name: "key rotated", routes: parkRoute, upset: func(w *world) { w.keys.cached = "the old key" }},
	{name: "rejected", routes: parkRoute, upset: func(w *world) {
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 400})
	}},
	{name: "parked", routes: parkRoute, upset: func(w *world) {
		w.center.Inject(lostAnswer)
	}},
	// A 404 would be retried a random number of times, since the file may still appear;
	// this status is final at once.
	{name: "source gone", routes: parkRoute,
		upset: func(w *world) { w.testfairy.Inject("/1.jpg", testfairysim.Fault{Status: 451}) },
		fix:   func(w *world) { w.testfairy.Heal("/1.jpg") }},
	{name: "with the session's log", routes: logRoute, withLog: true},
	{name: "the session's log, TestFairy's key rotated", routes: logRoute, withLog: true,
		upset: func(w *world) { w.keys.testfairy.cached = "the old key" }},
	{name: "refused within a success", routes: parkRoute, upset: func(w *world) {
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Answer: `{"success":false,"message":"no"}`})
	}},
	{name: "a file refused within a success", routes: parkRoute, upset: func(w *world) {
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Answer: `{"status":413,"description":"no"}`})
	}},
	{name: "a look-up refused within a success", routes: lookUpRoute, upset: func(w *world) {
		w.center.Inject(lostAnswer, centercodesim.Fault{Op: centercodesim.OpPackage, Answer: `{"errors":["no"]}`})
	}},
	{name: "a ticket without a name", routes: lookUpRoute, upset: func(w *world) {
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, After: true, Body: centercodesim.BodyHTML})
	}},
	{name: "its file takes long", routes: parkRoute, upset: func(w *world) { w.makeSlow(&slowFiles{}) }},
	{name: "no route", routes: strings.Replace(parkRoute, "event: feedback", "event: crash", 1),
		fix: func(w *world) { w.config = w.parse(parkRoute) }},
}

// stores are the stores of the ledger.
var stores = []struct {
	name string
	open func(*testing.T) option
}{
	{"sqlite", func(*testing.T) option { return func(*world) {} }},
	{"dynamo", func(t *testing.T) option {
		return onStore(dynamotest.NewStore(t, dynamotest.Start(t, "ledger").Client(), "ledger"))
	}},
}

// TestFaults runs each scenario once to record its calls, and then once for every call and
// every way in which it can fail. After each run the whole persisted state is checked
// against the promise; then a person settles and replays the dead letters, and there must
// be exactly one complete ticket. New calls of the worker are covered automatically.
func TestFaults(t *testing.T) {
	for _, store := range stores {
		for _, s := range scenarios {
			t.Run(store.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				clean := &plan{}
				s.run(t, store.open(t), clean)
				for _, call := range clean.calls {
					if store.name != "sqlite" && !strings.HasPrefix(call, "ledger.") && !strings.HasPrefix(call, "breaker.") {
						continue // the same on every store
					}
					for _, form := range forms {
						if store.name != "sqlite" && (form == timesOut || form == timesOutDone) {
							continue // the plan makes the timeout; the store sees no difference
						}
						t.Run(fmt.Sprintf("%s %s", call, form), func(t *testing.T) {
							p := &plan{at: call, form: form}
							s.run(t, store.open(t), p)
							if !p.met {
								t.Errorf("the call was not made; calls were %v", p.calls)
							}
						})
					}
				}
			})
		}
	}
}

func (s scenario) run(t *testing.T, store option, p *plan) {
	files, endpoints := 1, endpointRoute
	if s.withLog {
		files, endpoints = 2, logEndpointRoute
	}
	w := newWorld(t, s.routes, store)
	if s.upset != nil {
		s.upset(w)
	}
	id := w.send(feedback(1))
	w.settle(p)
	w.checkInvariants(id)

	if s.fix != nil {
		s.fix(w)
	}
	for range 3 {
		if w.count(w.dead) == 0 {
			break
		}
		w.settleParked(id)
		for _, l := range w.letters() {
			if l.Reason == queue.ReasonAttachmentEndpoint {
				// Without the response to the ticket, the file's endpoint must be
				// configured.
				w.config = w.parse(endpoints)
			}
		}
		w.redrive()
		w.settle(nil)
		w.checkInvariants(id)
	}
	if n := w.count(w.dead); n != 0 {
		t.Errorf("%d dead letters are left: %+v", n, w.letters())
	}
	if tickets := w.tickets(id); len(tickets) != 1 || len(tickets[0].Files) != files {
		t.Errorf("want one ticket with %d files in the end: %+v", files, tickets)
	}
}

// settleParked follows the runbook for an ambiguous letter: look it up in Centercode, and
// tell the ledger the result.
func (w *world) settleParked(id string) {
	w.Helper()
	e := w.entry(id)
	tickets := w.tickets(id)
	there := len(tickets) == 1
	ticketID := ""
	if there {
		ticketID = tickets[0].ID
		if e.Attaching != "" {
			there = slices.ContainsFunc(tickets[0].Files, func(f centercodesim.File) bool { return f.Element == e.Attaching })
		}
	}
	settle := w.ledger().SettleNotCreated
	if there {
		settle = func(ctx context.Context, id string) error { return w.ledger().SettleCreated(ctx, id, ticketID) }
	}
	if err := settle(w.Context(), id); err != nil && !errors.Is(err, ledger.ErrNotParked) {
		w.Fatal(err)
	}
}
