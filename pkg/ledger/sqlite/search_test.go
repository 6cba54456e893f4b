package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// TestTicketIsFoundByItsIndex checks that a search for a ticket does not read every
// delivery.
func TestTicketIsFoundByItsIndex(t *testing.T) {
	d := openDB(t, filepath.Join(t.TempDir(), "ledger.db"))
	from, args := conditions(ledger.Query{Ticket: "BUG-17"})
	var id, parent, unused int
	var plan string
	row := d.Read().QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN SELECT `+columns+` FROM `+from+` ORDER BY received DESC, id`, args...)
	if err := row.Scan(&id, &parent, &unused, &plan); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(plan, "SEARCH ledger USING INDEX ledger_ticket ") {
		t.Errorf("the plan is %s", plan)
	}
}

// TestMigratedEntriesAreFoundAndCounted checks that after a migration from version 2, find
// and stats read the entries as if this version had written them.
func TestMigratedEntriesAreFoundAndCounted(t *testing.T) {
	tables, err := os.ReadFile("../../sqlitedb/testdata/version-2.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fairbridge.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	entries := []struct{ id, state, doc string }{
		// An action was recorded an hour after it was completed.
		{"a1", "completed", `{"deliveryId":"a1","form":1,"state":"completed","where":{"project":"DEMO"},"ticketId":"BUG-1","attempts":2,
			"tried":[{"at":"2026-11-20T10:00:01Z","decision":"retry","ms":30},{"at":"2026-11-20T10:00:05.25Z","decision":"completed","ms":750}],
			"about":{"receivedAt":"2026-11-20T10:00:00.123Z","kind":"feedback","app":"Shop","session":"/sessions/7","email":"ann@example.com","text":"Zażółć it"},
			"firstSeen":"2026-11-20T10:00:01Z","updatedAt":"2026-11-20T11:00:00Z"}`},
		// Without attempts, description or ticket id.
		{"a2", "completed", `{"deliveryId":"a2","state":"completed","where":{"project":"DEMO"},"attempts":1,
			"firstSeen":"2026-11-20T09:00:00Z","updatedAt":"2026-11-20T09:00:03.007Z"}`},
		// Completed without a ticket.
		{"a3", "completed", `{"deliveryId":"a3","state":"completed","attempts":1,"about":{"app":"Shop"},"firstSeen":"2026-11-20T08:00:00Z","updatedAt":"2026-11-20T08:00:03Z"}`},
		{"a4", "dead", `{"deliveryId":"a4","state":"dead","attempts":1,"about":{"app":"Shop"},"last":{"reason":"rejected","stage":"create","text":"no","at":"2026-11-20T07:00:01Z"},
			"firstSeen":"2026-11-20T07:00:00Z","updatedAt":"2026-11-20T07:00:01Z"}`},
		{"#mapping/1", "mapping", `{"firstSeen":"2026-11-20T07:00:00Z"}`},
	}
	if _, err := old.Exec(string(tables) + `; DELETE FROM ledger`); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := old.Exec(`INSERT INTO ledger VALUES (?, 1, ?, 4000000000, ?, 1764305000000000)`, e.id, e.state, e.doc); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	s := newStore(t, Config{DB: openDB(t, path)})
	for _, e := range entries {
		r, err := s.Get(t.Context(), e.id)
		if err != nil {
			t.Fatal(err)
		}
		var same bool
		if err := s.db.Read().QueryRowContext(t.Context(), `SELECT (received, kind, app, ticket, reason, took, words) IS (?2, ?3, ?4, ?5, ?6, ?7, ?8)
			FROM ledger WHERE id = ?1`, append([]any{e.id}, searched(r)...)...).Scan(&same); err != nil {
			t.Fatal(err)
		}
		if !same {
			t.Errorf("the columns of %s differ from %q, which this version writes", e.id, searched(r))
		}
	}
	for _, q := range []ledger.Query{{Email: "ANN@"}, {Text: "zażółć"}, {Session: "/sessions/7"}, {Ticket: "bug-1"}, {Kind: "feedback"}} {
		var found []string
		if err := s.Search(t.Context(), q, func(e ledger.Entry) bool {
			found = append(found, e.DeliveryID)
			return true
		}); err != nil || !reflect.DeepEqual(found, []string{"a1"}) {
			t.Errorf("%+v found %q, %v; want a1", q, found, err)
		}
	}
	var outcomes []ledger.Outcome
	if err := s.Outcomes(t.Context(), ledger.Query{}, func(o ledger.Outcome) { outcomes = append(outcomes, o) }); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	want := []ledger.Outcome{
		{Received: at.Add(123 * time.Millisecond), App: "Shop", Standing: "completed", Ticket: true, Took: 5877 * time.Millisecond},
		{Received: at.Add(-time.Hour), Standing: "completed", Ticket: true, Took: 3007 * time.Millisecond},
		{Received: at.Add(-2 * time.Hour), App: "Shop", Standing: "completed"},
		{Received: at.Add(-3 * time.Hour), App: "Shop", Standing: "dead"},
	}
	if !reflect.DeepEqual(outcomes, want) {
		t.Errorf("the outcomes are\n%+v, want\n%+v", outcomes, want)
	}
}
