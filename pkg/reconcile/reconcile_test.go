package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/reconcile"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// begun returns a world whose ledger has recorded a feedback two days ago.
func begun(t *testing.T, forgetful bool) *world {
	w := newWorld(t, forgetful)
	w.deliver(w.say("first", "1", "the first", "a@b.c"))
	w.settle()
	w.now = w.now.Add(48 * time.Hour)
	return w
}

// TestMissingIsSent checks that a feedback whose webhook never arrived becomes a ticket,
// once, with what is known of its app.
func TestMissingIsSent(t *testing.T) {
	w := begun(t, false)
	lost := w.say("lost", "2", "it crashes\r\nwhen I tap", "d@e.f")
	w.now = w.now.Add(time.Minute)
	w.deliver(w.say("came", "3", "it is slow", "d@e.f"))
	w.settle()
	w.wantStates(w.look(), "first present", "lost recent", "came present")
	w.now = w.now.Add(time.Hour) // the clocks do not prove that it is lost, but the arrival of a later one does
	report, err := w.send(false)
	w.must(err)
	w.wantStates(report, "first present", "lost on its way", "came present")
	for range 2 { // a second run finds nothing to do
		w.settle()
		report, err = w.send(true)
		w.must(err)
		w.wantStates(report, "first present", "lost present", "came present")
	}
	if w.tickets(lost) != 1 {
		t.Fatalf("%d tickets", w.tickets(lost))
	}
	for _, ticket := range w.center.Tickets() {
		if ticket.Fields["reconciled"] == "lost" && ticket.Fields["app"] != "Demo App 1.2 7 samsung gt-i9100t" {
			t.Errorf("the ticket has %v", ticket.Fields)
		}
	}
	e, err := ledger.Read(mustGet(w, report.Items[1].DeliveryID))
	if w.must(err); e.About == nil || !e.About.Reconciled || e.About.Session != "/projects/10/builds/5/sessions/2" {
		t.Errorf("the ledger has %+v", e.About)
	}
}

func mustGet(w *world, id string) ledger.Record {
	w.Helper()
	r, err := w.store.Get(w.Context(), id)
	w.must(err)
	return r
}

// TestLateWebhook checks that a webhook which arrives after its feedback was reconciled
// needs a person to decide whether it is the same one.
func TestLateWebhook(t *testing.T) {
	w := begun(t, false)
	late := w.say("late", "2", "it crashes", "d@e.f")
	w.now = w.now.Add(24 * time.Hour)
	_, err := w.send(false)
	w.must(err)
	w.settle()
	w.deliver(late)
	w.settle()
	e, _ := w.entry(late)
	if w.tickets(late) != 1 || e.State != ledger.Dead || e.Last.Reason != string(queue.ReasonAmbiguous) || !strings.Contains(e.Last.Text, "'fairbridge reconcile' has sent") {
		t.Errorf("%d tickets, the ledger has %+v, %+v", w.tickets(late), e, e.Last)
	}
	w.wantStates(w.look(), "first present", "late present")

	// It is replayed without a person's decision, and with one.
	l := ledger.Message{Generation: e.Generation, Marked: true, SentAt: w.now.Add(time.Second)}
	taken, err := e.Take(l, "o", false, w.now)
	if w.must(err); taken.Twin == "" || !taken.InDoubt() {
		t.Errorf("after the replay it is not a twin: %+v", taken)
	}
	for name, settle := range map[string]func() (ledger.Entry, bool){
		"the same": func() (ledger.Entry, bool) { return e.SettledCreated("T-1", w.now) },
		"another":  e.SettledNotCreated,
	} {
		settled, ok := settle()
		if !ok || settled.InDoubt() || settled.Twin != "" || settled.Apart != (name == "another") || (settled.Progress() == ledger.Created) != (name == "the same") {
			t.Errorf("%s: %+v", name, settled)
		}
	}
}

// TestTwins checks that of two identical feedbacks it is unknown which one arrived.
func TestTwins(t *testing.T) {
	w := begun(t, false)
	one := w.say("one", "2", "it crashes", "d@e.f")
	w.say("two", "2", "it crashes", "d@e.f")
	both := []*feedback{w.say("three", "3", "again", "d@e.f"), w.say("four", "3", "again", "d@e.f")}
	w.say("sessionless", "", "again", "d@e.f")
	other := w.say("another's", "", "again", "g@h.i")
	w.deliver(one)
	w.deliver(other)
	w.settle()
	w.now = w.now.Add(24 * time.Hour)
	report, err := w.send(false)
	w.must(err)
	w.wantStates(report, "first present", "one ambiguous", "two ambiguous", "three on its way", "four on its way", "sessionless on its way", "another's present")
	w.settle()
	for _, f := range both {
		if w.tickets(f) != 1 {
			t.Errorf("%s has %d tickets", f.id, w.tickets(f))
		}
	}
	// A third one with the same text, after two that were reconciled.
	w.say("five", "3", "again", "d@e.f")
	w.now = w.now.Add(24 * time.Hour)
	report = w.look()
	if got := states(report)["five"]; got != reconcile.Ambiguous {
		t.Errorf("the third feedback is %s", got)
	}
}

// TestDoubtIsNotSent checks that a feedback is never sent if TestFairy may list it
// differently from its webhook.
func TestDoubtIsNotSent(t *testing.T) {
	for name, tell := range map[string]func(*world) *feedback{
		"escaped":         func(w *world) *feedback { return w.say("x", "2", "a &amp; b", "d@e.f") },
		"another session": func(w *world) *feedback { return w.say("x", "s-77", "a & b", "d@e.f") },
		"no session":      func(w *world) *feedback { return w.say("x", "", "a & b", "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := begun(t, false)
			w.deliver(&feedback{webhook: []byte(`{"event":"feedback","text":"a & b","email":"d@e.f","sessionUrl":"` + page("2") + `"}`)})
			w.settle()
			tell(w)
			w.now = w.now.Add(24 * time.Hour)
			report, err := w.send(true)
			w.must(err)
			w.wantStates(report, "first present", "x ambiguous")
		})
	}
}

// TestOldAccount checks that nothing is sent for an old account if the ledger is new, was
// restored, does not remember texts, or has entries written before they were remembered.
func TestOldAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		forgetful bool
		then      func(w *world)
	}{
		"empty":     {false, func(*world) {}},
		"in use":    {false, func(w *world) { w.deliver(w.say("new", "900", "new", "a@b.c")); w.settle() }},
		"forgetful": {true, func(w *world) { w.deliver(w.say("new", "900", "new", "a@b.c")); w.settle() }},
		"restored": {false, func(w *world) {
			w.must(ledgertest.New(w, ledger.Config{Store: w.store, Now: func() time.Time { return w.now }}).NoteRestored(w.Context()))
		}},
		"from before": {false, func(w *world) { w.must(w.store.Put(w.Context(), old(w.now, w.now.Add(time.Hour)))) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.forgetful)
			if name == "from before" || name == "restored" {
				w.deliver(w.say("known", "1", "known", "a@b.c"))
				w.settle()
			}
			for n := range 98 {
				w.now = w.now.Add(7 * time.Hour)
				w.say(fmt.Sprint(n), fmt.Sprint(100+n), "said "+fmt.Sprint(n%50), "d@e.f")
			}
			w.now = w.now.Add(time.Hour)
			tc.then(w)
			before := len(w.center.Tickets())
			w.now = w.now.Add(4 * time.Hour)
			report, err := w.send(false)
			w.must(err)
			w.settle()
			if n := len(w.center.Tickets()); n != before {
				t.Errorf("%d tickets were created", n-before)
			}
			for id, state := range states(report) {
				if state != reconcile.Unknown && state != reconcile.Recent && id != "new" && id != "known" {
					t.Errorf("%s is %s", id, state)
				}
			}
		})
	}
}

// old returns an entry as an earlier version wrote it.
func old(from, to time.Time) ledger.Record {
	return ledger.Record{ID: strings.Repeat("a", 64), Version: 1, State: "completed", ExpiresAt: to.Add(ledger.RetainDone),
		Doc: fmt.Appendf(nil, `{"state":"completed","firstSeen":%q,"updatedAt":%q}`, from.Format(time.RFC3339), to.Format(time.RFC3339))}
}

// TestBackfill checks that a backfill sends feedbacks unknown to the ledger, once.
func TestBackfill(t *testing.T) {
	w := newWorld(t, false)
	f := w.say("old", "2", "it crashes", "d@e.f")
	w.now = w.now.Add(24 * time.Hour)
	for _, backfill := range []bool{false, true, true, false} {
		_, err := w.send(backfill)
		w.must(err)
		w.settle()
		if want := map[bool]int{true: 1}[backfill || w.tickets(f) > 0]; w.tickets(f) != want {
			t.Fatalf("backfill %t: %d tickets, want %d", backfill, w.tickets(f), want)
		}
	}
	// The ledger has forgotten the delivery, but TestFairy still lists it.
	w.now = w.now.Add(60 * 24 * time.Hour)
	for _, i := range w.look().Items {
		w.must(w.store.Delete(w.Context(), i.DeliveryID))
	}
	report, err := w.send(true)
	w.must(err)
	w.settle()
	w.wantStates(report, "old present")
	if w.tickets(f) != 1 {
		t.Errorf("%d tickets", w.tickets(f))
	}
}

// TestWithdrawn checks that a payload recorded for sending is not sent once its person is
// forgotten, although TestFairy still lists it.
func TestWithdrawn(t *testing.T) {
	w := begun(t, false)
	f := w.say("lost", "2", "it crashes", "d@e.f")
	w.now = w.now.Add(24 * time.Hour)
	w.sending = func([]byte) (before, after error) { return errFault, nil }
	if _, err := w.send(false); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	w.sending = nil
	event, err := testfairy.Decode(f.webhook)
	w.must(err)
	record := mustGet(w, "#reconciled/"+event.Likeness())
	if record.Attention != ledger.AttentionUnsent || !record.ExpiresAt.Equal(w.now.Add(ledger.RetainDone)) {
		t.Errorf("noted as %q, until %s", record.Attention, record.ExpiresAt)
	}
	l := ledgertest.New(w, ledger.Config{Store: w.store, Now: func() time.Time { return w.now }})
	all, err := l.Unsent(t.Context(), []ledger.Record{record})
	if err != nil || len(all) != 1 || all[0].FeedbackID != "lost" {
		t.Fatalf("unsent are %+v, %v", all, err)
	}
	// The person is forgotten while the next run sends.
	w.say("other", "3", "it is slow", "g@h.i")
	w.now = w.now.Add(24 * time.Hour)
	w.sending = func([]byte) (before, after error) { return nil, l.Withdraw(t.Context(), all[0]) }
	for _, other := range []string{"other on its way", "other present"} {
		report, err := w.send(true)
		w.must(err)
		w.settle()
		w.wantStates(report, "first present", "lost dropped", other)
	}
	if record = mustGet(w, record.ID); record.Attention != "" || record.Data != nil || w.tickets(f) != 0 {
		t.Errorf("%d tickets, and the ledger has %+v", w.tickets(f), record)
	}
}

// TestForgetful: with ledger.remember: ids, feedbacks can be matched by session only.
func TestForgetful(t *testing.T) {
	w := begun(t, true)
	w.deliver(w.say("came", "2", "it crashes", "d@e.f"))
	w.deliver(w.say("one", "3", "it crashes", "d@e.f"))
	w.say("two", "3", "it is slow", "d@e.f")
	w.say("lost", "4", "it crashes", "d@e.f")
	w.settle()
	w.now = w.now.Add(24 * time.Hour)
	report, err := w.send(false)
	w.must(err)
	w.wantStates(report, "first present", "came present", "one ambiguous", "two ambiguous", "lost unknown")
}

// TestOnlyAHundred checks that the report states that only the latest hundred can be seen.
func TestOnlyAHundred(t *testing.T) {
	w := begun(t, false)
	for n := range 100 {
		w.now = w.now.Add(time.Minute)
		w.say(fmt.Sprint(n), fmt.Sprint(100+n), "said", "d@e.f")
	}
	w.now = w.now.Add(24 * time.Hour)
	report := w.look()
	if !report.Full || len(report.Items) != 100 || report.Oldest != report.Items[99].RecordedAt || report.Items[99].FeedbackID != "0" {
		t.Errorf("%d items, full %t, since %s", len(report.Items), report.Full, report.Oldest)
	}
	if n := len(report.Sendable(time.Time{}, false)); n != 100 {
		t.Errorf("%d sendable", n)
	}
	if n := len(report.Sendable(w.now.Add(-13*time.Hour), false)); n >= 100 {
		t.Errorf("%d sendable of the last hours", n)
	}
}

func TestGone(t *testing.T) {
	w := begun(t, false)
	w.testfairy = testfairysim.New(testfairysim.Config{NewPlatform: true, Sunset: w.now})
	if _, err := w.reconciler().Look(t.Context()); !errors.Is(err, api.ErrGone) {
		t.Errorf("got %v", err)
	}
}
