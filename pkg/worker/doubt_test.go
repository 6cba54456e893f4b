package worker_test

import (
	"fmt"
	"strings"
	"testing"

	"fairbridge/pkg/attachment"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// doubts are responses that leave open whether the request was carried out.
var doubts = []centercodesim.Fault{
	{Status: 302, Location: "/elsewhere"}, {Status: 303}, {Status: 418}, {Status: 501}, {Status: 502},
	{Status: 502, Body: centercodesim.BodyHTML}, {Status: 504}, {Status: 599}, {Status: 500, Body: centercodesim.BodyHTML},
	{Status: 500, Body: centercodesim.BodyEmpty}, {Status: 200, Body: centercodesim.BodyHTML}, {Answer: `{"id":1,"ok":false}`}, {Drop: true},
}

// TestDoubtfulAnswerMakesNoSecondTicket checks that once the ticket exists no response
// leads to a second one, with or without a look-up, however often it occurs, and that if it
// does not exist it is created.
func TestDoubtfulAnswerMakesNoSecondTicket(t *testing.T) {
	for _, fault := range doubts {
		for _, after := range []bool{true, false} {
			for name, route := range map[string]string{"looked up": lookUpRoute, "parked": parkRoute} {
				t.Run(fmt.Sprintf("%s/%d %s%s/made %v", name, fault.Status, fault.Body, fault.Answer, after), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, route)
					fault.Op, fault.After, fault.Times = centercodesim.OpCreate, after, 2
					w.center.Inject(fault)
					id := w.send(feedback(1))
					w.settle(nil)
					w.checkInvariants(id)
					if name == "looked up" {
						if n := w.count(w.dead); n != 0 || len(w.tickets(id)) != 1 {
							t.Errorf("%d dead letters, %d tickets", n, len(w.tickets(id)))
						}
						return
					}
					if l := w.onlyLetter(); l.Reason != queue.ReasonAmbiguous {
						t.Errorf("dead letter %+v", l)
					}
					w.center.Heal()
					w.settleParked(id)
					w.config = w.parse(endpointRoute)
					w.redrive()
					w.settle(nil)
					w.checkInvariants(id)
					if len(w.tickets(id)) != 1 {
						t.Errorf("%d tickets", len(w.tickets(id)))
					}
				})
			}
		}
	}
}

// TestAnswerThatDidNothingIsRetried checks that a ticket that cannot exist is neither
// looked up nor a dead letter.
func TestAnswerThatDidNothingIsRetried(t *testing.T) {
	for _, status := range []int{408, 425, 429, 503} {
		for name, route := range map[string]string{"look-up": lookUpRoute, "park": parkRoute} {
			t.Run(fmt.Sprintf("%d/%s", status, name), func(t *testing.T) {
				w := newWorld(t, route)
				w.center.Inject(centercodesim.Fault{Status: status, Times: 3})
				id := w.send(feedback(1))
				w.settle(nil)
				w.checkInvariants(id)
				if n, r := w.count(w.dead), w.center.Requests(); n != 0 || r.Package != 0 || r.Create != 4 {
					t.Errorf("%d dead letters, requests %+v", n, r)
				}
			})
		}
	}
}

// TestOwnFault checks that a 500 in Centercode's own form is looked up if that is possible,
// and otherwise taken to mean that there is no ticket. It is a transient fault, and creates
// no dead letters.
func TestOwnFault(t *testing.T) {
	broken := strings.Replace(lookUpRoute, "Delivery ID", "No Such Column", 1)
	for _, tc := range []struct {
		name, route string
		made        bool
		tickets     int
	}{
		{"looked up, created", lookUpRoute, true, 1},
		{"looked up, not created", lookUpRoute, false, 1},
		{"no look-up, not created", parkRoute, false, 1},
		{"no look-up, created", parkRoute, true, 2}, // it was wrong: docs/failure-modes.md, what is not promised
		{"look-up that cannot work, not created", broken, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.route)
			w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, After: tc.made, Status: 500})
			id := w.send(feedback(1))
			w.settle(nil)
			if n := w.count(w.dead); n != 0 || len(w.tickets(id)) != tc.tickets {
				t.Errorf("%d dead letters, %d tickets, want %d: %+v", n, len(w.tickets(id)), tc.tickets, w.letters())
			}
			if tc.tickets == 1 {
				w.checkInvariants(id)
			}
		})
	}
}

// TestTicketWithoutAName checks that a ticket without an id in the response gets it from
// the data package, and continues without one if it is not listed there. It is never
// created again.
func TestTicketWithoutAName(t *testing.T) {
	nameless := centercodesim.Fault{Op: centercodesim.OpCreate, After: true, Body: centercodesim.BodyEmpty}
	withoutFiles := strings.Replace(forFeedback, "project: DEMO", "project: DEMO\n    lookup: {package: p, column: Delivery ID, ticketColumn: Ticket ID}", 1)
	for _, tc := range []struct {
		name, route, id string
	}{
		{"with its files", lookUpRoute, "1"},
		{"without files", withoutFiles, "1"},
		{"no look-up", forFeedback, ""},
		{"look-up that cannot work", strings.Replace(withoutFiles, "Delivery ID", "No Such Column", 1), ""},
		{"not in the data package", strings.Replace(withoutFiles, "Delivery ID", "summary", 1), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.route)
			w.center.Inject(nameless)
			id := w.send(feedback(1))
			w.settle(nil)
			w.checkInvariants(id)
			if e := w.entry(id); e.State != ledger.Completed || e.TicketID != tc.id || w.count(w.dead) != 0 || w.center.Requests().Create != 1 {
				t.Errorf("%d dead letters, requests %+v, entry %+v", w.count(w.dead), w.center.Requests(), e)
			}
		})
	}
}

// TestRequestThatCanNeverBeSent checks that an invalid request is rejected at once, with
// the reason.
func TestRequestThatCanNeverBeSent(t *testing.T) {
	for _, tc := range []struct {
		name, route string
		text        string
	}{
		{"endpoint on another host", strings.Replace(endpointRoute, "endpoint: /api", "endpoint: https://elsewhere.example/api", 1), "elsewhere.example"},
		{"endpoint on another port", strings.Replace(endpointRoute, "endpoint: /api", "endpoint: http://127.0.0.1:1/api", 1), "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.route)
			id := w.send(feedback(1))
			if o := w.only(w.once()); o.Result != worker.Dead || o.Reason != queue.ReasonRejected || !strings.Contains(o.Err.Error(), tc.text) {
				t.Errorf("outcome %+v", o)
			}
			w.checkInvariants(id)
		})
	}
}

// TestCanonicalHost: a response may name the site's canonical address, which is not the
// configured one. The error names the difference, and the setting that allows it. Element
// names match in any case.
func TestCanonicalHost(t *testing.T) {
	w := newWorld(t, strings.Replace(parkRoute, "element: screenshot", "element: SCREENshot", 1))
	canonical := strings.Replace(w.centerURL, "127.0.0.1", "localhost", 1)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, After: true,
		Answer: `{"id":"1","files":{"Screenshot":"` + canonical + `/api/v1/projects//feedback/1/files/screenshot"}}`})
	id := w.send(feedback(1))
	w.settle(nil)
	l := w.onlyLetter()
	for _, want := range []string{strings.TrimPrefix(canonical, "http://"), strings.TrimPrefix(w.centerURL, "http://"), "centercode.hosts"} {
		if l.Reason != queue.ReasonAttachmentEndpoint || !strings.Contains(l.Description, want) {
			t.Errorf("no %q in %+v", want, l)
		}
	}
	w.checkInvariants(id)
	w.hosts = []string{strings.TrimPrefix(canonical, "http://")}
	w.redrive()
	w.settle(nil)
	w.checkInvariants(id)
	if files := w.tickets(id)[0].Files; len(files) != 1 {
		t.Errorf("files %+v", files)
	}
}

// TestFoundTicketWithoutEndpoint: for a ticket that a person found there was no response
// with endpoints, so the message does not blame one.
func TestFoundTicketWithoutEndpoint(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.center.Inject(lostAnswer)
	id := w.send(feedback(1))
	w.settle(nil)
	w.settleParked(id)
	w.redrive()
	w.settle(nil)
	if l := w.onlyLetter(); l.Reason != queue.ReasonAttachmentEndpoint || !strings.Contains(l.Description, "found by a look-up or a person") {
		t.Errorf("dead letter %+v", l)
	}
	w.config = w.parse(endpointRoute)
	w.redrive()
	w.settle(nil)
	w.checkInvariants(id)
	if files := w.tickets(id)[0].Files; len(files) != 1 {
		t.Errorf("files %+v", files)
	}
}

// TestLostFile checks that a file whose response was lost is sent again unless the route
// forbids it: a duplicate file is better than asking a person every time.
func TestLostFile(t *testing.T) {
	for _, fault := range doubts {
		for _, tc := range []struct {
			name, route string
			files, dead int
		}{
			{"retry", strings.Replace(parkRoute, ", onLostAnswer: park", "", 1), 2, 0},
			{"park", parkRoute, 1, 1},
		} {
			t.Run(fmt.Sprintf("%d %s%s/%s", fault.Status, fault.Body, fault.Answer, tc.name), func(t *testing.T) {
				w := newWorld(t, tc.route)
				fault.Op, fault.After = centercodesim.OpFile, true
				w.center.Inject(fault)
				id := w.send(feedback(1))
				w.settle(nil)
				tickets := w.tickets(id)
				if len(tickets) != 1 || len(tickets[0].Files) != tc.files || w.count(w.dead) != tc.dead {
					t.Errorf("%d dead letters, tickets %+v", w.count(w.dead), tickets)
				}
			})
		}
	}
}

// TestPanicIsLoggedWithItsStack checks that a bug is retried, and that its stack is only
// logged.
func TestPanicIsLoggedWithItsStack(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(feedback(1))
	proc := w.start(nil)
	buggy := proc.handler.Mapping
	buggy.Sources = (*attachment.Fetcher)(nil)
	w.must(proc.handler.Use(buggy))
	if _, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work))); err != nil {
		t.Fatal(err)
	}
	o := w.only(proc.outcomes)
	if o.Result != worker.Retry || !strings.Contains(o.Stack, "worker.(*delivery).open") || strings.Contains(o.Err.Error(), "goroutine") {
		t.Errorf("outcome %+v", o)
	}
	if e := w.entry(id); e.Last == nil || !strings.HasPrefix(e.Last.Text, "panic: ") || strings.Contains(e.Last.Text, "goroutine") {
		t.Errorf("entry %+v", e.Last)
	}
}
