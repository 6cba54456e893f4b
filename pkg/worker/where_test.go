package worker_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// A look-up asks where the request went, whatever the mapping says by now.
func TestLookUpAsksWhereTheRequestWent(t *testing.T) {
	elsewhere := strings.NewReplacer("project: DEMO", "project: OTHER", "projects/DEMO", "projects/OTHER")
	for name, changed := range map[string]string{
		"another project":                   elsewhere.Replace(lookUpRoute),
		"another project, and no look-up":   elsewhere.Replace(endpointRoute),
		"another package":                   strings.Replace(lookUpRoute, "package: deliveries", "package: others", 1),
		"another project, and sent blindly": elsewhere.Replace(strings.Replace(endpointRoute, "source: testfairy", "source: testfairy\n    onLostAnswer: retry", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lookUpRoute)
			id := w.send(feedback(1))
			proc := w.start(&plan{at: "centercode.create#1", form: diesDone})
			_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
			w.must(err)
			where := w.entry(id).Where
			if where == nil || where.BaseURL != w.centerURL || where.Project != "DEMO" || where.Source != "testfairy" ||
				where.Mapping != "a hash" || where.Lookup == nil || where.Lookup.Package != "deliveries" {
				t.Fatalf("the request went to %+v", where)
			}
			w.config = w.parse(changed)
			w.settle(nil)
			if tickets := w.tickets(id); len(tickets) != 1 || w.center.Requests().Create != 1 {
				t.Errorf("%d tickets, requests %+v", len(tickets), w.center.Requests())
			}
			if e := w.entry(id); e.Progress() != ledger.Created && e.State != ledger.Completed || e.TicketID != "1" {
				t.Errorf("the ledger has %+v", e)
			}
		})
	}
}

// What is not found where the request went is made where the mapping says now.
func TestLookUpFindsNothingWhereTheRequestWent(t *testing.T) {
	w := newWorld(t, lookUpRoute)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Drop: true})
	id := w.send(feedback(1))
	w.only(w.once())
	w.config = w.parse(strings.NewReplacer("project: DEMO", "project: OTHER", "projects/DEMO", "projects/OTHER").Replace(lookUpRoute))
	w.settle(nil)
	if tickets := w.tickets(id); len(tickets) != 1 {
		t.Errorf("%d tickets", len(tickets))
	}
	if e := w.entry(id); e.Where == nil || e.Where.Project != "OTHER" {
		t.Errorf("the ticket is in %+v", e.Where)
	}
}

// The key is not sent to another Centercode than the one that is configured, and a
// request without a 'where' is not sent again because nothing is found.
func TestDoubtThatNoLookUpEnds(t *testing.T) {
	for name, edit := range map[string]func(*ledger.Entry){
		"the request went to another Centercode": func(e *ledger.Entry) { e.Where.BaseURL = "https://elsewhere.example.com" },
		"an earlier version sent it":             func(e *ledger.Entry) { e.Where, e.Form = nil, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lookUpRoute)
			w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Drop: true})
			id := w.send(feedback(1))
			w.only(w.once())
			w.rewrite(id, edit)
			w.settle(nil)
			if l := w.onlyLetter(); l.Reason != queue.ReasonAmbiguous || l.Stage != queue.StageLookUp {
				t.Errorf("dead letter %+v", l)
			}
			if n := w.center.Requests().Create; n != 1 {
				t.Errorf("%d requests for a ticket", n)
			}
		})
	}
}

// A mapping that fails while a ticket is in doubt does not end the doubt, and one
// that fails for a copy of what is done does nothing at all.
func TestMappingThatFailsMeanwhile(t *testing.T) {
	broken := strings.Replace(parkRoute, "event: feedback", "event: crash", 1)
	w := newWorld(t, parkRoute)
	doubtful, done := w.send(feedback(1)), ""
	proc := w.start(&plan{at: "centercode.create#1", form: diesDone})
	_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	done = w.send(feedback(2))
	second := w.receive(w.work)
	w.hand(second)
	w.config = w.parse(broken)
	w.hand(second)
	w.settle(nil)
	if l := w.onlyLetter(); l.DeliveryID != doubtful || l.Reason != queue.ReasonAmbiguous || l.Stage != queue.StageMap {
		t.Errorf("dead letter %+v", l)
	}
	if e := w.entry(done); e.State != ledger.Completed {
		t.Errorf("the one that was done: %+v", e)
	}
}

// Killed between completed and the message's delete, which comes again 40 days later:
// one ticket.
func TestLateCopyOfACompletedDelivery(t *testing.T) {
	w := newWorld(t, parkRoute)
	var err error
	w.store, err = sqlite.New(t.Context(), sqlite.Config{DB: w.file, Now: w.clock.Now})
	w.must(err)
	id := w.send(feedback(1))
	proc := w.start(&plan{at: "sqs.DeleteMessage#1", form: dies})
	messages := w.receive(w.work)
	response, err := proc.handler.Handle(t.Context(), eventOf(messages))
	w.must(err)
	proc.deleteAllBut(messages, response)
	_, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{Name: "work", VisibilityTimeout: 930 * time.Second}) // keeps messages for ever, as a folder's
	w.must(err)
	for range 40 { // a folder's entries expire by no more than a day from write to write
		w.clock.Advance(24 * time.Hour)
		w.must(w.store.Set(t.Context(), ledger.Record{ID: "#day", Version: 1, ExpiresAt: w.clock.Now(), Doc: []byte("{}")}))
	}
	other := w.send(feedback(2)) // its writes prune what has expired
	w.settle(nil)
	w.checkInvariants(id, other)
	if n := len(w.tickets(id)); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// A body of a million bytes that does not compress dies and is kept.
func TestLargeBodyIsKept(t *testing.T) {
	w := newWorld(t, strings.Replace(parkRoute, "event: feedback", "event: crash", 1))
	noise := make([]byte, 745_000)
	_, _ = rand.Read(noise)
	id := w.send(fmt.Sprintf(`{"event":"feedback","text":"feedback 1","screenshotUrl":"https://app.testfairy.com/1.jpg","noise":%q}`,
		base64.StdEncoding.EncodeToString(noise)))
	w.settle(nil)
	kept, err := w.ledger().Letter(t.Context(), w.entry(id))
	if err != nil || len(kept) < 990_000 {
		t.Fatalf("%d bytes are kept, %v", len(kept), err)
	}
	w.config = w.parse(parkRoute)
	w.replayAll()
	if o := w.only(w.settle(nil)); o.Result != worker.Created {
		t.Errorf("replayed: %+v", o)
	}
	w.checkInvariants(id)
}

// An attempt is remembered with what became of it, and what the delivery is about.
func TestWhatIsRemembered(t *testing.T) {
	w := newWorld(t, forFeedback)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 503})
	received := w.clock.Now().UTC().Round(0)
	id := w.send(feedback(1))
	first := w.only(w.once())
	if e := w.entry(id); e.Waited != first.RetryIn || e.Suspect {
		t.Errorf("after a retry: waited %s, want %s", e.Waited, first.RetryIn)
	}
	w.settle(nil)
	e := w.entry(id)
	if len(e.Tried) != 2 || e.Tried[0].Decision != ledger.DecisionRetry || e.Tried[0].Status != 503 || e.Tried[0].Stage != "create" ||
		e.Tried[1].Decision != ledger.DecisionCompleted {
		t.Errorf("tried %+v", e.Tried)
	}
	want := ledger.About{ReceivedAt: received, Kind: "feedback", App: "Demo App", Session: "/projects/10-demo/builds/5/sessions/1", SessionHost: "app.testfairy.com",
		Email: "alice@corporation.com", Text: "feedback 1"}
	if e.About == nil || *e.About != want {
		t.Errorf("about %+v, want %+v", e.About, want)
	}
}

// rewrite changes an entry as another version might have written it.
func (w *world) rewrite(id string, edit func(*ledger.Entry)) {
	w.Helper()
	r, err := w.store.Get(w.Context(), id)
	w.must(err)
	e, err := ledger.Read(r)
	w.must(err)
	edit(&e)
	r.Version++
	r.Doc = mustJSON(w, e)
	w.must(w.store.Put(w.Context(), r))
}

func mustJSON(w *world, v any) []byte {
	w.Helper()
	b, err := json.Marshal(v)
	w.must(err)
	return b
}
