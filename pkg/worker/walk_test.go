package worker_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// wayBack is a way in which a delivery returns after it or its worker died. first are its
// original messages, as received.
type wayBack struct {
	name string
	come func(w *world, first []types.Message)
}

var waysBack = []wayBack{
	{"our replay", func(w *world, _ []types.Message) { w.replayAll() }},
	{"SQS's redrive", func(w *world, _ []types.Message) { w.redrive() }},
	{"sent by hand, without attributes", func(w *world, _ []types.Message) { w.sendLetters(1, false) }},
	{"the same webhook again", func(w *world, _ []types.Message) { w.send(feedback(1)) }},
	{"an old copy", func(w *world, first []types.Message) { w.redeliver(first) }},
	{"two copies at once", func(w *world, _ []types.Message) { w.sendLetters(2, true) }},
	{"two copies at once, by hand, and the webhook", func(w *world, _ []types.Message) {
		w.sendLetters(2, false)
		w.send(feedback(1))
	}},
}

// killPoints returns the calls of a scenario that change something, and "nowhere".
func (s scenario) killPoints(t *testing.T, store option) []string {
	clean := &plan{}
	s.walk(t, store, clean, waysBack[0])
	points := []string{"nowhere"}
	for _, call := range clean.calls {
		if changes(nameOf(call)) {
			points = append(points, call)
		}
	}
	return points
}

// TestWalk kills the worker after each call that changes anything, in each scenario, lets
// other workers continue, and makes the delivery return: in a different way each time, or
// with FAIRBRIDGE_WALK=full in every way from every point, which takes minutes. In the end
// there is one complete ticket.
func TestWalk(t *testing.T) {
	full := os.Getenv("FAIRBRIDGE_WALK") == "full"
	for _, store := range stores {
		for _, s := range scenarios {
			if s.withLog || s.name == "key rotated" {
				continue // they have no course of their own
			}
			t.Run(store.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				for i, point := range s.killPoints(t, store.open(t)) {
					for j, way := range waysBack {
						if i%len(waysBack) != j && !full {
							continue // each kill point once, with a different way each time
						}
						t.Run(point+" "+way.name, func(t *testing.T) {
							s.walk(t, store.open(t), &plan{at: point, form: diesDone}, way)
						})
					}
				}
			})
		}
	}
}

// nameOf returns a call without its number.
func nameOf(call string) string {
	name, _, _ := strings.Cut(call, "#")
	return name
}

// changes reports whether a call changes anything outside of the worker.
func changes(call string) bool {
	switch call {
	case "ledger.Put", "ledger.Set", "ledger.Delete", "sqs.SendMessage", "sqs.DeleteMessage", "centercode.create", "centercode.file":
		return true
	}
	return false
}

func (s scenario) walk(t *testing.T, store option, p *plan, way wayBack) {
	w := newWorld(t, s.routes, store)
	if s.upset != nil {
		s.upset(w)
	}
	id := w.send(feedback(1))
	first := w.receive(w.work)
	proc := w.start(p)
	response, err := proc.handler.Handle(t.Context(), eventOf(first))
	w.must(err)
	proc.deleteAllBut(first, response)
	if proc.isDead() {
		p = nil
	}
	w.settle(p)
	w.checkInvariants(id)

	way.come(w, first)
	w.settle(nil)
	w.checkInvariants(id)
	s.end(w, id)
}

// end does what a person does until nothing is left: fix the cause, look ambiguous
// deliveries up in Centercode, replay.
func (s scenario) end(w *world, id string) {
	w.Helper()
	if s.fix != nil {
		s.fix(w)
	}
	for range 4 {
		if w.count(w.dead) == 0 {
			break
		}
		w.settleParked(id)
		for _, l := range w.letters() {
			if l.Reason == queue.ReasonAttachmentEndpoint {
				w.config = w.parse(endpointRoute)
			}
		}
		w.replayAll()
		w.settle(nil)
		w.checkInvariants(id)
	}
	if n := w.count(w.dead); n != 0 {
		w.Errorf("%d dead letters are left: %+v", n, w.letters())
	}
	if tickets := w.tickets(id); len(tickets) != 1 || len(tickets[0].Files) != 1 {
		w.Errorf("in the end there is not one ticket with its file: %+v", tickets)
	}
	e := w.entry(id)
	if e.State != ledger.Completed {
		w.Errorf("in the end the ledger has %+v", e)
	}
	for n := 1; n <= e.Letter; n++ {
		if _, err := w.store.Get(w.Context(), fmt.Sprintf("#letter/%s/%d", id, n)); !errors.Is(err, ledger.ErrNotFound) {
			w.Errorf("part %d of its letter: %v", n, err)
		}
	}
}

// TestWalkOfDropped checks that however a dropped delivery returns, it is ignored until its
// letter is imported again.
func TestWalkOfDropped(t *testing.T) {
	for _, store := range stores {
		for _, s := range scenarios {
			for _, way := range waysBack {
				t.Run(fmt.Sprintf("%s/%s/%s", store.name, s.name, way.name), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, s.routes, store.open(t))
					if s.upset != nil {
						s.upset(w)
					}
					id := w.send(feedback(1))
					first := w.receive(w.work)
					w.redeliver(first)
					w.settle(nil)
					letters := w.letters()
					if len(letters) == 0 {
						return // nothing to drop
					}
					before := w.center.Requests()
					w.must(w.ledger().Drop(t.Context(), id, letters[0].Generation, "a test"))
					way.come(w, first)
					w.settle(nil)
					if e := w.entry(id); !e.Dropped() || w.center.Requests() != before {
						t.Errorf("revived: %+v, requests %+v", e, w.center.Requests())
					}
					kept, err := w.ledger().Letter(t.Context(), w.entry(id))
					if err != nil || !strings.Contains(string(kept), "feedback 1") {
						t.Errorf("its letter is gone: %q, %v", kept, err)
					}
				})
			}
		}
	}
}

// sendLetters sends each dead letter to the work queue as often as times, with or without
// its attributes, and deletes it.
func (w *world) sendLetters(times int, attributes bool) {
	w.Helper()
	w.eachLetter(func(m types.Message) {
		in := &sqs.SendMessageInput{QueueUrl: &w.work, MessageBody: m.Body}
		if attributes {
			in.MessageAttributes = m.MessageAttributes
		}
		for range times {
			_, err := w.sqs.SendMessage(w.Context(), in)
			w.must(err)
		}
		_, err := w.sqs.DeleteMessage(w.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.dead, ReceiptHandle: m.ReceiptHandle})
		w.must(err)
	})
}
