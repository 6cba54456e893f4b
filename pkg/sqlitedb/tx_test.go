package sqlitedb_test

import (
	"fmt"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// TestStatementsAreReused checks that a statement does the same whether or not it was compiled
// before.
func TestStatementsAreReused(t *testing.T) {
	d := openTable(t)
	const rounds = 5
	for round := range rounds {
		err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
			for i := range 2 { // the second must not see the first one's bindings
				if err := insert(fmt.Sprint(round, "-", i))(tx); err != nil {
					return err
				}
			}
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
				return err
			}
			rows, err := tx.Query("SELECT id FROM t WHERE id > ?", 1)
			if err != nil {
				return err
			}
			defer rows.Close()
			later := 0
			for rows.Next() {
				later++
			}
			if want := 2 * (round + 1); n != want || later != want-1 {
				t.Errorf("round %d: %d rows, %d of them later", round, n, later)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := bodies(t, d); len(got) != 2*rounds {
		t.Errorf("%q", got)
	}
}

// TestStatementsSurvive checks that a compiled statement survives a failed function, a
// schema change, and more other statements than are cached.
func TestStatementsSurvive(t *testing.T) {
	d := openTable(t)
	write := func(fn func(*sqlitedb.Tx) error) {
		t.Helper()
		if err := d.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		write(insert("before"))
	}
	if err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
		_ = insert("undone")(tx)
		_, err := tx.Exec("INSERT INTO t (body) VALUES (NULL)")
		return err
	}); err == nil {
		t.Error("a NULL body was accepted")
	}
	write(insert("after a failure"))
	write(func(tx *sqlitedb.Tx) error { _, err := tx.Exec("ALTER TABLE t ADD COLUMN more TEXT"); return err })
	write(insert("after a change"))
	for i := range 200 {
		write(func(tx *sqlitedb.Tx) error {
			_, err := tx.Exec(fmt.Sprintf("UPDATE t SET more = '%d' WHERE id = 1", i))
			return err
		})
	}
	write(insert("after others"))
	if got := fmt.Sprint(bodies(t, d)); got != "[before before before after a failure after a change after others]" {
		t.Error(got)
	}
}
