package ledgertest

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// Searcher is a store's search.
type Searcher interface {
	// Search calls visit for each matching delivery until it returns false.
	Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error
	// Outcomes calls visit for each delivery received in the query's period.
	Outcomes(ctx context.Context, q ledger.Query, visit func(ledger.Outcome)) error
}

// RunSearch tests a search of an empty store against [ledger.Query]. sorted means that the
// most recently received delivery is returned first.
func RunSearch(t *testing.T, s ledger.Store, search Searcher, sorted bool) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := noon
	l := New(t, ledger.Config{Store: s, Now: func() time.Time { return at }})
	id := func(digit string) string { return strings.Repeat(digit, 64) }
	claim := func(digit string, about ledger.About) *ledger.Claim {
		d, err := l.Look(t.Context(), id(digit), ledger.Message{SentAt: at})
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Claim(t.Context(), about, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	claim("a", ledger.About{Kind: "feedback", App: "Notes", Email: "Ann@Example.com", Text: "it crashes 100% of the time", ReceivedAt: noon})
	at = noon.Add(time.Hour)
	c := claim("b", ledger.About{Kind: "feedback", App: "Überweisung", Session: "/projects/1/builds/2/sessions/3", Text: "a_b"})
	check(c.Creating(t.Context(), ledger.Where{Project: "DEMO"}))
	at = at.Add(1500 * time.Millisecond)
	check(c.CreatedAndCompleted(t.Context(), "T-7"))
	at = noon.Add(2 * time.Hour)
	c = claim("c", ledger.About{Kind: "crash", App: "Notes", Email: "bob@example.org", ReceivedAt: noon.Add(90 * time.Minute)})
	check(c.KeepLetter(t.Context(), []byte("letter")))
	check(c.Died(t.Context(), ledger.Fault{Reason: "rejected", Stage: "create", At: at}, false))
	at = noon.Add(3 * time.Hour)
	check(l.Drop(t.Context(), id("d"), 1, "of no use"))
	check(l.NowRuns(t.Context(), ledger.Running{Hash: "hash"}, "routes: []"))

	for _, test := range []struct {
		name  string
		query ledger.Query
		want  string
	}{
		{"all", ledger.Query{}, "dcba"},
		{"id", ledger.Query{ID: "BBBBBB"}, "b"},
		{"half an id that none has", ledger.Query{ID: "bbbbbba"}, ""},
		{"text in the text", ledger.Query{Text: "CRASHES 100%"}, "a"},
		{"text in the app", ledger.Query{Text: "notes"}, "ca"},
		{"text in the email address", ledger.Query{Text: "EXAMPLE.ORG"}, "c"},
		{"text in the ticket", ledger.Query{Text: "t-7"}, "b"},
		{"text in the session", ledger.Query{Text: "builds/2"}, "b"},
		{"text at the beginning of the id", ledger.Query{Text: "CCCC"}, "c"},
		{"what looks like a pattern", ledger.Query{Text: "0%o"}, ""},
		{"an underscore is one", ledger.Query{Text: "a_b"}, "b"},
		{"and has no other meaning", ledger.Query{Text: "i_"}, ""},
		{"letters beyond ASCII", ledger.Query{App: "üBER"}, "b"},
		{"and stand for nothing else", ledger.Query{App: "äBER"}, ""},
		{"email", ledger.Query{Email: "ann@"}, "a"},
		{"kind", ledger.Query{Kind: "feedback"}, "ba"},
		{"ticket", ledger.Query{Ticket: "t-7"}, "b"},
		{"part of a ticket", ledger.Query{Ticket: "7"}, ""},
		{"session", ledger.Query{Session: "SESSIONS/3"}, "b"},
		{"state", ledger.Query{States: []string{"claimed"}}, "a"},
		{"states", ledger.Query{States: []string{"dead", "dropped"}}, "dc"},
		{"reason", ledger.Query{Reason: "rejected"}, "c"},
		{"since", ledger.Query{Since: noon.Add(90 * time.Minute)}, "dc"},
		{"until", ledger.Query{Until: noon.Add(90 * time.Minute)}, "ba"},
		{"both, to the nanosecond", ledger.Query{Since: noon.Add(1), Until: noon.Add(time.Hour).Add(1)}, "b"},
		{"two things", ledger.Query{App: "notes", States: []string{"claimed", "completed"}}, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			err := search.Search(t.Context(), test.query, func(e ledger.Entry) bool {
				got = append(got, e.DeliveryID[:1])
				return true
			})
			if !sorted {
				slices.Sort(got)
				slices.Reverse(got)
			}
			if all := strings.Join(got, ""); err != nil || all != test.want {
				t.Errorf("got %s, %v, want %s", all, err, test.want)
			}
		})
	}
	t.Run("outcomes", func(t *testing.T) {
		got := map[string]ledger.Outcome{}
		q := ledger.Query{App: "does not count", Since: noon, Until: noon.Add(3 * time.Hour)}
		err := search.Outcomes(t.Context(), q, func(o ledger.Outcome) { got[o.Standing] = o })
		want := map[string]ledger.Outcome{
			"claimed":   {Received: noon, App: "Notes", Standing: "claimed"},
			"completed": {Received: noon.Add(time.Hour), App: "Überweisung", Standing: "completed", Ticket: true, Took: 1500 * time.Millisecond},
			"dead":      {Received: noon.Add(90 * time.Minute), App: "Notes", Standing: "dead"},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	})
	t.Run("no more than requested", func(t *testing.T) {
		n := 0
		err := search.Search(t.Context(), ledger.Query{}, func(ledger.Entry) bool { n++; return n < 2 })
		if err != nil || n != 2 {
			t.Errorf("visited %d, %v", n, err)
		}
	})
	t.Run("a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := search.Search(ctx, ledger.Query{}, func(ledger.Entry) bool { return true }); err == nil {
			t.Error("no error")
		}
	})
}
