package sqlitedb_test

import (
	"fmt"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// A statement does the same whether SQLite has compiled it before or not.
func TestStatementsAgain(t *testing.T) {
	d := openTable(t)
	const rounds = 5
	for round := range rounds {
		err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
			for i := range 2 { // the second one finds what the first one has bound
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

// A compiled statement outlives a failed function, a change of its table, and
// more other statements than are kept.
func TestStatementsOutlive(t *testing.T) {
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
		t.Error("a body that is NULL was taken")
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
