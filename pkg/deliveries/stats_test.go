package deliveries_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
)

// refusals is a home's record of refused webhooks.
type refusals ingest.Refused

func (r refusals) Refused(context.Context) (ingest.Refused, error) { return ingest.Refused(r), nil }

// world is a home with a manual clock.
type world struct {
	*testing.T
	home   *home.Home
	now    time.Time
	ledger *ledger.Ledger
	sent   int
}

func newWorld(t *testing.T, now time.Time) *world {
	t.Helper()
	w := &world{T: t, now: now}
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: t.TempDir()}, Create: true})
	w.must(err)
	t.Cleanup(func() { w.must(h.Close()) })
	w.home = h
	w.ledger = ledgertest.New(t, ledger.Config{Store: h.Ledger, Now: func() time.Time { return w.now }})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// finder returns a Finder of the world's home.
func (w *world) finder() *deliveries.Finder {
	w.Helper()
	f, err := deliveries.New(deliveries.Config{Home: w.home})
	w.must(err)
	return f
}

// take claims a delivery received now, as a worker does, and returns its id.
func (w *world) take(about ledger.About) (string, *ledger.Claim) {
	w.Helper()
	w.sent++
	id := fmt.Sprintf("%064x", w.sent)
	about.ReceivedAt = w.now
	d, err := w.ledger.Look(w.Context(), id, ledger.Message{})
	w.must(err)
	c, err := d.Claim(w.Context(), about, false)
	w.must(err)
	return id, c
}

// ticket completes a delivery after a time.
func (w *world) ticket(app string, after time.Duration) {
	w.Helper()
	_, c := w.take(ledger.About{App: app})
	w.must(c.Creating(w.Context(), ledger.Where{Project: "P"}))
	received := w.now
	w.now = received.Add(after)
	w.must(c.CreatedAndCompleted(w.Context(), "7"))
	w.now = received
}

func TestStats(t *testing.T) {
	began := time.Date(2026, 1, 2, 22, 30, 0, 0, time.UTC)
	w := newWorld(t, began)
	w.ticket("=Notes", 20*time.Minute) // before the period
	w.now = began.Add(time.Hour)
	for n := range 20 {
		w.ticket("=Notes", time.Duration(n+1)*time.Second)
	}
	w.now = began.Add(3 * time.Hour)
	w.ticket("Demo", 90*time.Millisecond)
	fail := func(c *ledger.Claim) { w.must(c.Died(t.Context(), ledger.Fault{Reason: "rejected"}, true)) }
	_, dead := w.take(ledger.About{App: "Demo"})
	fail(dead)
	dropped, c := w.take(ledger.About{App: "Demo"})
	fail(c)
	w.must(w.ledger.Drop(t.Context(), dropped, 1, "a test"))
	w.take(ledger.About{App: "Demo"}) // in progress
	_, ignored := w.take(ledger.About{})
	w.must(ignored.Completed(t.Context()))
	// A later action by a person does not make the delivery slower.
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.ledger.Act(t.Context(), fmt.Sprintf("%064x", 22), "looked at it"))
	w.home.Refusals = refusals{Last: []ingest.Refusal{
		{At: began.Add(3 * time.Hour), Reason: ingest.ReasonNotJSON}, {At: began.Add(2 * time.Hour), Reason: ingest.ReasonNoToken},
		{At: began.Add(time.Hour), Reason: ingest.ReasonWrongToken}, {At: began.Add(-time.Hour), Reason: ingest.ReasonWrongToken},
	}}

	q := deliveries.StatsQuery{Since: began.Add(30 * time.Minute), Until: began.Add(4 * time.Hour)}
	second := time.Second.Milliseconds()
	notes := deliveries.StatsRow{Key: "=Notes", Received: 20, Tickets: 20, P50: 10 * second, P95: 19 * second}
	demo := deliveries.StatsRow{Key: "Demo", Received: 4, Tickets: 1, Waiting: 1, Dead: 1, Dropped: 1, P50: second * 9 / 100, P95: second * 9 / 100}
	total := deliveries.StatsRow{Received: 25, Tickets: 21, Waiting: 1, Dead: 1, Dropped: 1, Ignored: 1, Refused: 2, P50: 10 * second, P95: 19 * second}
	day := func(key string, r deliveries.StatsRow, refused int) deliveries.StatsRow {
		r.Key, r.Refused = key, refused
		return r
	}
	last := demo
	last.Received, last.Ignored = 5, 1
	for by, want := range map[deliveries.By][]deliveries.StatsRow{
		"":               nil,
		deliveries.ByApp: {notes, demo, {Received: 1, Ignored: 1}},
		deliveries.ByDay: {day("2026-01-02", notes, 1), day("2026-01-03", last, 1)},
		deliveries.ByHour: {
			day("2026-01-02 23:00", notes, 1), {Key: "2026-01-03 00:00"}, day("2026-01-03 01:00", last, 1), {Key: "2026-01-03 02:00"},
		},
	} {
		q.By = by
		got, err := w.finder().Stats(t.Context(), q)
		w.must(err)
		if !reflect.DeepEqual(got.Rows, want) || !reflect.DeepEqual(got.Total, total) || got.RefusedMore {
			t.Errorf("by %q: got\n%+v\n%+v; want\n%+v\n%+v", by, got.Rows, got.Total, want, total)
		}
	}
	q.By = deliveries.ByDay
	q.Location = time.FixedZone("", 2*60*60)
	got, err := w.finder().Stats(t.Context(), q)
	w.must(err)
	if len(got.Rows) != 1 || got.Rows[0].Key != "2026-01-03" || got.Rows[0].Received != 25 {
		t.Errorf("in another place: got %+v", got.Rows)
	}
	text, err := json.Marshal(got.Total)
	w.must(err)
	if want := `"p50Ms":10000,"p95Ms":19000}`; !strings.HasSuffix(string(text), want) {
		t.Errorf("got %s; want ...%s", text, want)
	}

	// A home records at most a hundred, so there may have been more.
	many := make([]ingest.Refusal, 100)
	for i := range many {
		many[i] = ingest.Refusal{At: began.Add(time.Hour), Reason: ingest.ReasonNotJSON}
	}
	w.home.Refusals = refusals{Last: many}
	if got, err := w.finder().Stats(t.Context(), q); err != nil || got.Total.Refused != 100 || !got.RefusedMore {
		t.Errorf("got %+v, %v", got, err)
	}
}
