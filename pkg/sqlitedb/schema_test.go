package sqlitedb_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// rowsOf returns the rows of a query as text.
func rowsOf(t *testing.T, pool *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tables returns all columns and indexes of a file.
func tables(t *testing.T, d *sqlitedb.DB) []string {
	t.Helper()
	return rowsOf(t, d.Read(), `SELECT s.type || ' ' || s.name || ' ' || c.name || ' ' || coalesce(c.type, '')
			|| ' ' || c."notnull" || ' ' || c.pk || ' ' || coalesce(c.dflt_value, '')
		FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'
		UNION ALL
		SELECT 'index ' || s.name || ' ' || s.tbl_name || ' ' || coalesce(c.name, '')
		FROM sqlite_schema s, pragma_index_info(s.name) c WHERE s.type = 'index'
		ORDER BY 1`)
}

// TestFilesOfOlderVersions checks that a migrated file of every older version has the
// schema of a new file, and keeps its rows.
func TestFilesOfOlderVersions(t *testing.T) {
	fresh := open(t, filepath.Join(t.TempDir(), "new.db"))
	want := tables(t, fresh)
	version := rowsOf(t, fresh.Read(), "PRAGMA user_version")[0]
	for n := 1; fmt.Sprint(n) != version; n++ {
		t.Run(fmt.Sprint("version ", n), func(t *testing.T) {
			statements, err := os.ReadFile(fmt.Sprintf("testdata/version-%d.sql", n))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "old.db")
			old, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := old.Exec(string(statements)); err != nil {
				t.Fatal(err)
			}
			const rows = `SELECT 'queue ' || name FROM queues UNION ALL SELECT 'message ' || id || ' ' || receives FROM messages
				UNION ALL SELECT body FROM contents UNION ALL SELECT name || value FROM parameters ORDER BY 1`
			before := rowsOf(t, old, rows)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			d := open(t, path)
			if got := tables(t, d); !reflect.DeepEqual(got, want) {
				t.Errorf("tables are %q\nwant those of a new file %q", got, want)
			}
			if got := rowsOf(t, d.Read(), rows); len(got) != 4 || !reflect.DeepEqual(got, before) {
				t.Errorf("rows were %q, and are %q", before, got)
			}
			if got := rowsOf(t, d.Read(), "PRAGMA user_version")[0]; got != version {
				t.Errorf("its version is %s, want %s", got, version)
			}
		})
	}
}
