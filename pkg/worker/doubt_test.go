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

// doubts are answers that leave open whether the request was carried out.
var doubts = []centercodesim.Fault{
	{Status: 302, Location: "/elsewhere"}, {Status: 303}, {Status: 418}, {Status: 501}, {Status: 502},
	{Status: 502, Body: centercodesim.BodyHTML}, {Status: 504}, {Status: 599}, {Status: 500, Body: centercodesim.BodyHTML},
	{Status: 500, Body: centercodesim.BodyEmpty}, {Status: 200, Body: centercodesim.BodyHTML}, {Answer: `{"id":1,"ok":false}`}, {Drop: true},
}

// After the ticket was made no answer makes a second one, with a look-up nor
// without, however often it comes; and if none was made, one is.
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

// What cannot have been made is not looked up, and is no letter either.
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

// A 500 in Centercode's own form is looked up where that is possible, and
// believed where it is not: it is weather, and makes no letters.
func TestOwnFault(t *testing.T) {
	broken := strings.Replace(lookUpRoute, "Delivery ID", "No Such Column", 1)
	for _, tc := range []struct {
		name, route string
		made        bool
		tickets     int
	}{
		{"looked up, made", lookUpRoute, true, 1},
		{"looked up, not made", lookUpRoute, false, 1},
		{"no look-up, not made", parkRoute, false, 1},
		{"no look-up, made", parkRoute, true, 2}, // it lied: docs/failure-modes.md, what is not promised
		{"look-up that cannot work, not made", broken, false, 1},
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

// A ticket that the answer did not name gets its name from the data package, and
// continues without one if it is not there. It is never made again.
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

// What can never be sent is refused at once, with the reason.
func TestRequestThatCanNeverBeSent(t *testing.T) {
	for _, tc := range []struct {
		name, route string
		says        string
	}{
		{"endpoint on another host", strings.Replace(endpointRoute, "endpoint: /api", "endpoint: https://elsewhere.example/api", 1), "elsewhere.example"},
		{"endpoint on another port", strings.Replace(endpointRoute, "endpoint: /api", "endpoint: http://127.0.0.1:1/api", 1), "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.route)
			id := w.send(feedback(1))
			if o := w.only(w.once()); o.Result != worker.Dead || o.Reason != queue.ReasonRejected || !strings.Contains(o.Err.Error(), tc.says) {
				t.Errorf("outcome %+v", o)
			}
			w.checkInvariants(id)
		})
	}
}

// The site's canonical address in an answer is not the one that is configured:
// what differs is said, and which setting allows it. Element names match in any
// case.
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

// A ticket that a person found has no answer that names its endpoints: the text
// blames none.
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

// A file whose answer was lost is sent again unless the route says otherwise: a
// file twice is milder than a person each time.
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

// A bug is a retry, and its stack is for the log alone.
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
		t.Errorf("the ledger has %+v", e.Last)
	}
}
