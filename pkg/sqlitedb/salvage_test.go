package sqlitedb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// TestSalvageInDocs checks that the commands in docs/operations.md turn the dump of a
// damaged file into a valid file, even if rows that every file has are missing.
func TestSalvageInDocs(t *testing.T) {
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	for line := range strings.Lines(string(docs)) {
		if statement, found := strings.CutPrefix(strings.TrimSpace(line), "echo '"); found {
			statements = append(statements, strings.TrimSuffix(statement, "'"))
		}
	}
	if len(statements) != 2 {
		t.Fatalf("the docs show %q", statements)
	}
	path := filepath.Join(t.TempDir(), "recovered.db")
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	want := rowsOf(t, d.Read(), "SELECT 'sent ' || one FROM sent UNION ALL SELECT 'expiry ' || one FROM expiry")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	dumped, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	// As a dump leaves it: in an open transaction, without the file's markers.
	dumped.SetMaxOpenConns(1)
	for _, s := range append([]string{"PRAGMA application_id = 0; PRAGMA user_version = 0; BEGIN; DELETE FROM sent; DELETE FROM expiry"}, statements...) {
		if _, err := dumped.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := dumped.Close(); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, open(t, path).Read(), "SELECT 'sent ' || one FROM sent UNION ALL SELECT 'expiry ' || one FROM expiry"); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("there are %q, want %q", got, want)
	}
}
