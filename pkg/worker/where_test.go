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

// TestLookUpAsksWhereTheRequestWent checks that a look-up uses the project of the request,
// whatever the mapping says by now.
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
				t.Fatalf("the request was sent to %+v", where)
			}
			w.config = w.parse(changed)
			w.settle(nil)
			if tickets := w.tickets(id); len(tickets) != 1 || w.center.Requests().Create != 1 {
				t.Errorf("%d tickets, requests %+v", len(tickets), w.center.Requests())
			}
			if e := w.entry(id); e.Progress() != ledger.Created && e.State != ledger.Completed || e.TicketID != "1" {
				t.Errorf("entry %+v", e)
			}
		})
	}
}

// TestLookUpFindsNothingWhereTheRequestWent checks that a ticket which is not found there
// is created where the mapping says now.
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

// TestDoubtThatNoLookUpEnds checks that the key is not sent to a Centercode other than the
// configured one, and that a request recorded without a project is not sent again because a
// look-up finds nothing.
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

// TestMappingThatFailsMeanwhile checks that a mapping error leaves an ambiguous ticket
// ambiguous, and has no effect on a copy of a completed delivery.
func TestMappingThatFailsMeanwhile(t *testing.T) {
	broken := strings.Replace(parkRoute, "event: feedback", "event: crash", 1)
	w := newWorld(t, parkRoute)
	doubtful, done := w.send(feedback(1)), ""
	proc := w.start(&plan{at: "centercode.create#1", form: diesDone})
	_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	done = w.send(feedback(2))
	second := w.receive(w.work)
	w.redeliver(second)
	w.config = w.parse(broken)
	w.redeliver(second)
	w.settle(nil)
	if l := w.onlyLetter(); l.DeliveryID != doubtful || l.Reason != queue.ReasonAmbiguous || l.Stage != queue.StageMap {
		t.Errorf("dead letter %+v", l)
	}
	if e := w.entry(done); e.State != ledger.Completed {
		t.Errorf("the completed one: %+v", e)
	}
}

// TestLateCopyOfACompletedDelivery kills the worker between completing the delivery and
// deleting its message, which returns 40 days later: there is still one ticket.
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
	_, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{Name: "work", VisibilityTimeout: 930 * time.Second}) // keeps messages forever, like a folder's queues
	w.must(err)
	for range 40 { // a folder's entries age by at most a day between two writes
		w.clock.Advance(24 * time.Hour)
		w.must(w.store.Set(t.Context(), ledger.Record{ID: "#day", Version: 1, ExpiresAt: w.clock.Now(), Doc: []byte("{}")}))
	}
	other := w.send(feedback(2)) // its writes remove expired entries
	w.settle(nil)
	w.checkInvariants(id, other)
	if n := len(w.tickets(id)); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// TestLargeBodyIsKept checks that an incompressible body of a million bytes is kept when
// its delivery dies.
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

// TestWhatIsRemembered checks that the entry records an attempt's outcome, and what the
// delivery is about.
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

// rewrite changes an entry to one that another version might have written.
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
