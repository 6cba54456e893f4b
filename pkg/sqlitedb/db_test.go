package sqlitedb_test

import (
	"context"
	"path/filepath"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

func open(t *testing.T, path string) *sqlitedb.DB {
	t.Helper()
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openTable(t *testing.T) *sqlitedb.DB {
	t.Helper()
	d := open(t, filepath.Join(t.TempDir(), "test.db"))
	if err := d.Write(t.Context(), createTable); err != nil {
		t.Fatal(err)
	}
	return d
}

func createTable(tx *sqlitedb.Tx) error {
	_, err := tx.Exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
	return err
}

func insert(body string) func(*sqlitedb.Tx) error {
	return func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec("INSERT INTO t (body) VALUES (?)", body)
		return err
	}
}

func bodies(t *testing.T, d *sqlitedb.DB) []string {
	t.Helper()
	rows, err := d.Read().QueryContext(context.Background(), "SELECT body FROM t ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
