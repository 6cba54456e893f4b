package sqlitedb_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// harm is damage to a file while it is open.
type harm struct {
	name string
	do   func(path string) error
	want error
	// all means that everything acknowledged can still be read, at the path or from the
	// rescued file.
	all bool
}

func scramble(path string, from, n int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		noise := make([]byte, min(n, info.Size()-from))
		_, _ = rand.Read(noise)
		_, err = f.WriteAt(noise, from)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func replace(path string, content []byte) error {
	other := path + ".other"
	if err := os.WriteFile(other, content, 0o600); err != nil {
		return err
	}
	return os.Rename(other, path)
}

const all = 1 << 40

// harms are done by the test's process. Opening and closing the file here drops this
// process's POSIX locks on it, which is harmless since nothing else needs them meanwhile.
var harms = []harm{
	{"emptied", func(p string) error { return os.Truncate(p, 0) }, sqlitedb.ErrDamaged, false},
	{"truncated", func(p string) error { return os.Truncate(p, 3*4096) }, sqlitedb.ErrDamaged, false},
	{"truncated within a page", func(p string) error { return os.Truncate(p, 9*4096+100) }, sqlitedb.ErrDamaged, false},
	{"scrambled", func(p string) error { return scramble(p, 0, all) }, sqlitedb.ErrDamaged, false},
	// The log has a newer first page, from which the header is restored.
	{"header scrambled", func(p string) error { return scramble(p, 0, 100) }, nil, true},
	{"pages scrambled", func(p string) error { return scramble(p, 20*4096, all) }, sqlitedb.ErrDamaged, false},
	{"overwritten with text", func(p string) error {
		return os.WriteFile(p, bytes.Repeat([]byte("not a database\n"), 20_000), 0o600)
	}, sqlitedb.ErrDamaged, false},
	{"removed", os.Remove, sqlitedb.ErrGone, true},
	{"removed with its side files", func(p string) error {
		return errors.Join(os.Remove(p), os.Remove(p+"-wal"), os.Remove(p+"-shm"))
	}, sqlitedb.ErrGone, true},
	{"renamed", func(p string) error { return os.Rename(p, p+".old") }, sqlitedb.ErrGone, true},
	{"replaced by a copy", func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return replace(p, b)
	}, sqlitedb.ErrGone, true},
	{"replaced by an empty file", func(p string) error { return replace(p, nil) }, sqlitedb.ErrGone, true},
	{"log removed", func(p string) error { return os.Remove(p + "-wal") }, sqlitedb.ErrGone, true},
	{"log emptied", func(p string) error { return os.Truncate(p+"-wal", 0) }, sqlitedb.ErrDamaged, false},
	{"log scrambled", func(p string) error { return scramble(p+"-wal", 0, all) }, sqlitedb.ErrDamaged, false},
	{"index removed", func(p string) error { return os.Remove(p + "-shm") }, sqlitedb.ErrGone, true},
	{"folder removed", func(p string) error { return os.RemoveAll(filepath.Dir(p)) }, sqlitedb.ErrGone, false},
	{"folder renamed", func(p string) error { return os.Rename(filepath.Dir(p), filepath.Dir(p)+".old") }, sqlitedb.ErrGone, false},
}

// filled opens a file with enough rows that some are in the file and some only in its log.
func filled(t *testing.T, path string) (d *sqlitedb.DB, acknowledged []string) {
	t.Helper()
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // may fail for a lost file
	must(t, d.Write(t.Context(), createTable))
	for i := range 60 {
		body := fmt.Sprint(i, strings.Repeat(" and so on", 800))
		must(t, d.Write(t.Context(), insert(body)))
		acknowledged = append(acknowledged, body)
		if i == 40 {
			fold(t, path)
		}
	}
	return d, acknowledged
}

// fold checkpoints the log into the file.
func fold(t *testing.T, path string) {
	t.Helper()
	pool, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = pool.Exec("PRAGMA wal_checkpoint(PASSIVE)")
	must(t, errors.Join(err, pool.Close()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestHarmWhileItIsOpen checks that acknowledged rows can be read whatever happens to the
// file: the first write afterwards fails, the file accepts no more, and rows that only the
// open file still has are rescued.
func TestHarmWhileItIsOpen(t *testing.T) {
	for _, h := range harms {
		t.Run(h.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "home", "test.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			d, acknowledged := filled(t, path)
			must(t, h.do(path))
			err := d.Write(t.Context(), insert("into nothing"))
			if h.want == nil {
				must(t, errors.Join(err, d.Close()))
				if got := bodies(t, open(t, path)); !slices.Equal(got, append(acknowledged, "into nothing")) {
					t.Errorf("%d rows, want %d", len(got), len(acknowledged)+1)
				}
				return
			}
			var lost *sqlitedb.FileError
			if !errors.As(err, &lost) || !errors.Is(err, h.want) {
				t.Fatalf("got %v, want %v", err, h.want)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			if again := d.Write(t.Context(), insert("again")); !errors.Is(again, h.want) {
				t.Errorf("the next write: %v", again)
			}
			if watched := d.Watch(t.Context()); !errors.Is(watched, h.want) {
				t.Errorf("the watch: %v", watched)
			}
			_ = d.Close()
			if !h.all {
				return
			}
			saved := lost.Rescued
			if saved == "" {
				t.Fatalf("nothing was rescued: %v", err)
			}
			if info, err := os.Stat(saved); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the rescued file: %v, %v", info.Mode(), err)
			}
			got := bodies(t, open(t, saved))
			for _, body := range acknowledged {
				if !slices.Contains(got, body) {
					t.Fatalf("%.10q was acknowledged but is lost", body)
				}
			}
		})
	}
}

// TestWatchNoticesWithoutAWrite checks that damage is detected without a write.
func TestWatchNoticesWithoutAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, _ := filled(t, path)
	must(t, os.Remove(path))
	if err := d.Watch(t.Context()); !errors.Is(err, sqlitedb.ErrGone) {
		t.Errorf("got %v", err)
	}
}

// TestReaderMeetsDamage checks that a reader which hits earlier damage ends the file's use.
func TestReaderMeetsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, _ := filled(t, path)
	must(t, d.Close())
	must(t, scramble(path, 40*4096, all))
	d, err := sqlitedb.Open(t.Context(), path)
	must(t, err)
	if whole, err := d.Examine(t.Context(), 1<<40); whole || !errors.Is(err, sqlitedb.ErrDamaged) {
		t.Errorf("the examination: %v, %v", whole, err)
	}
	var n int
	if err := d.Read().QueryRow("SELECT sum(length(body)) FROM t").Scan(&n); !errors.Is(err, sqlitedb.ErrDamaged) {
		t.Errorf("the reader: %v", err)
	}
	if err := d.Write(t.Context(), insert("x")); !errors.Is(err, sqlitedb.ErrDamaged) {
		t.Errorf("the next write: %v", err)
	}
	before, err := os.ReadFile(path)
	must(t, err)
	must(t, d.Close())
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the damaged file was written to: %v", err)
	}
	x, err := sqlitedb.Examine(t.Context(), path)
	if err == nil && len(x.Findings) == 0 {
		t.Errorf("no damage was found: %+v", x)
	}
}

// TestOtherProcessesAreNotDamage checks that another process which writes, checkpoints and exits does
// not count as damage.
func TestOtherProcessesAreNotDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, acknowledged := filled(t, path)
	for i := range 20 {
		other := open(t, path)
		must(t, other.Write(t.Context(), insert(fmt.Sprint("other ", i))))
		fold(t, path)
		must(t, other.Close())
		must(t, d.Write(t.Context(), insert(fmt.Sprint("own ", i))))
	}
	if got := len(bodies(t, d)); got != len(acknowledged)+40 {
		t.Errorf("%d rows", got)
	}
}

// TestFullDisk checks that a full disk fails the write, but does not count as damage.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, acknowledged := filled(t, path)
	limit := func(pages int) {
		must(t, d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
			var now int
			return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&now)
		}))
	}
	limit(1)
	full := 0
	for i := range 50 {
		body := fmt.Sprint("full ", i, strings.Repeat(" and so on", 800))
		switch err := d.Write(t.Context(), insert(body)); {
		case err == nil:
			acknowledged = append(acknowledged, body)
		case errors.Is(err, sqlitedb.ErrDamaged), errors.Is(err, sqlitedb.ErrGone):
			t.Fatal(err)
		default:
			full++
		}
	}
	if full == 0 {
		t.Fatal("the disk was never full")
	}
	limit(1 << 30)
	must(t, d.Write(t.Context(), insert("room again")))
	must(t, d.Close())
	if got := bodies(t, open(t, path)); !slices.Equal(got, append(acknowledged, "room again")) {
		t.Errorf("%d rows, want %d", len(got), len(acknowledged)+1)
	}
}
