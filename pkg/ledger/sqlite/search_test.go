package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
)

// A ticket is found without reading every other delivery.
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
