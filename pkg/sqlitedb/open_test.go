package sqlitedb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

func TestOpenRefuses(t *testing.T) {
	foreign := func(statements string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			pool, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			if _, err := pool.Exec(statements); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		make func(t *testing.T, path string)
		want error
		text string
	}{
		"a text file": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, []byte(strings.Repeat("webhooks: please\n", 500)), 0o600); err != nil {
					t.Fatal(err)
				}
			}, sqlitedb.ErrDamaged, "file is not a database",
		},
		"a folder": {
			func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}, sqlitedb.ErrNotDatabase, "not a FairBridge database",
		},
		"a file of no bytes": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}, sqlitedb.ErrDamaged, "it has no bytes",
		},
		"a log without its database": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path+"-wal", []byte("frames"), 0o600); err != nil {
					t.Fatal(err)
				}
			}, sqlitedb.ErrGone, "only its log, test.db-wal, is still there",
		},
		"another program's database": {foreign("CREATE TABLE songs (title)"), sqlitedb.ErrNotDatabase, "another program"},
		"another program's version":  {foreign("PRAGMA user_version = 3"), sqlitedb.ErrNotDatabase, "another program"},
		"a newer schema": {
			foreign("PRAGMA application_id = 0x46427267; PRAGMA user_version = 99"), sqlitedb.ErrNewerSchema,
			"schema version 99, this program knows 3: written by a newer version of FairBridge",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			test.make(t, path)
			d, err := sqlitedb.Open(t.Context(), path)
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), d.Close()))
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a missing folder", func(t *testing.T) {
		if _, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "none", "test.db")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenAcceptsAnyFileName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a b?c#d%20e&f'g`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Skip("no such names here:", err)
	}
	open(t, filepath.Join(dir, "test.db"))
	if _, err := os.Stat(filepath.Join(dir, "test.db-wal")); err != nil {
		t.Error("the file is elsewhere:", err)
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	path := filepath.Join(t.TempDir(), "test.db")
	open(t, path)
	names := []string{path, path + "-wal", path + "-shm"}
	for _, name := range names {
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), mode)
		}
	}
}

func TestOpenTheSameNewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	const handles, writes = 4, 10
	var group sync.WaitGroup
	for i := range handles {
		group.Go(func() {
			d, err := sqlitedb.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			if err := d.Write(t.Context(), createTable); err != nil {
				t.Error(err)
			}
			for n := range writes {
				if err := d.Write(t.Context(), insert(fmt.Sprint(i, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := len(bodies(t, open(t, path))); got != handles*writes {
		t.Errorf("%d rows, want %d", got, handles*writes)
	}
}

func TestReadPoolCannotWrite(t *testing.T) {
	d := openTable(t)
	if _, err := d.Read().Exec("DELETE FROM t"); err == nil {
		t.Error("wrote through the read pool")
	}
}

func TestDurabilitySettings(t *testing.T) {
	d := openTable(t)
	err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "fullfsync": "1"} {
			var got string
			if err := tx.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
