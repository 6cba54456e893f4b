package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/sqlitedb"
)

func openDB(t *testing.T, path string) *sqlitedb.DB {
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

func newStore(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Store {
		return newStore(t, Config{DB: openDB(t, filepath.Join(t.TempDir(), "ledger.db"))})
	})
}

func TestIndex(t *testing.T) {
	s := newStore(t, Config{DB: openDB(t, filepath.Join(t.TempDir(), "ledger.db"))})
	ledgertest.RunIndex(t, s, s)
}

func TestSearch(t *testing.T) {
	s := newStore(t, Config{DB: openDB(t, filepath.Join(t.TempDir(), "ledger.db"))})
	ledgertest.RunSearch(t, s, s, true)
}

func TestLetters(t *testing.T) {
	ledgertest.RunLetters(t, newStore(t, Config{DB: openDB(t, filepath.Join(t.TempDir(), "ledger.db"))}))
}

// TestContractAcrossProcesses runs the suite on two handles of one file, as two processes
// have them, in alternation.
func TestContractAcrossProcesses(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Store {
		path := filepath.Join(t.TempDir(), "ledger.db")
		return &turns{stores: [2]*Store{newStore(t, Config{DB: openDB(t, path)}), newStore(t, Config{DB: openDB(t, path)})}}
	})
}

func TestSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	r := testRecord("a", 1, time.Unix(4_000_000_000, 0))
	put(t, newStore(t, Config{DB: d}), r)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := newStore(t, Config{DB: openDB(t, path)}).Get(t.Context(), "a")
	if err != nil || got.Version != 1 || string(got.Doc) != string(r.Doc) {
		t.Errorf("Get = %+v, %v", got, err)
	}
}

func TestClosedFile(t *testing.T) {
	d, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t, Config{DB: d})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), testRecord("a", 1, time.Now())); !errors.Is(err, sqlitedb.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil || errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Recent(t.Context(), 1); err == nil {
		t.Error("Recent: no error")
	}
	if _, err := New(t.Context(), Config{DB: d}); !errors.Is(err, sqlitedb.ErrClosed) {
		t.Errorf("New: %v", err)
	}
}

func TestRecent(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newStore(t, Config{DB: openDB(t, filepath.Join(t.TempDir(), "ledger.db")), Now: func() time.Time { return clock }})
	for _, r := range []ledger.Record{
		testRecord("a", 1, clock.Add(time.Hour)),
		testRecord("b", 1, clock.Add(time.Hour)),
		testRecord("c", 1, clock.Add(time.Hour)),
		testRecord("a", 2, clock.Add(time.Hour)),
	} {
		clock = clock.Add(time.Millisecond)
		put(t, s, r)
	}
	for limit, want := range map[int][]string{-1: {"a2", "c1", "b1"}, 0: nil, 2: {"a2", "c1"}, 9: {"a2", "c1", "b1"}} {
		records, err := s.Recent(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprint(r.ID, r.Version))
		}
		if !slices.Equal(got, want) {
			t.Errorf("Recent(%d) = %q, want %q", limit, got, want)
		}
	}
}

func TestPruning(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := openDB(t, filepath.Join(t.TempDir(), "ledger.db"))
	s := newStore(t, Config{DB: d, Now: func() time.Time { return clock }})
	const old = pruneAtMost + 10
	for i := range old {
		put(t, s, testRecord(fmt.Sprint("old ", i), 1, clock.Add(time.Minute)))
	}
	steps := []struct {
		name    string
		advance time.Duration
		do      func(t *testing.T)
		want    int // how many records are left
	}{
		{"not due yet", pruneEvery - 1, func(t *testing.T) { put(t, s, testRecord("new", 1, clock.Add(24*time.Hour))) }, old + 1},
		{"a conflict prunes nothing", 1, func(t *testing.T) {
			if err := s.Put(t.Context(), testRecord("new", 1, clock)); !errors.Is(err, ledger.ErrConflict) {
				t.Error(err)
			}
		}, old + 1},
		{"at most so many, not the one just written", 0, func(t *testing.T) { put(t, s, testRecord("old 0", 2, clock.Add(-time.Hour))) }, 11},
		{"the next one continues", 0, func(t *testing.T) { put(t, s, testRecord("new", 2, clock.Add(24*time.Hour))) }, 1},
		{"not due again", pruneEvery - 1, func(t *testing.T) { put(t, s, testRecord("short", 1, clock.Add(-time.Minute))) }, 2},
		{"on opening", 0, func(t *testing.T) { newStore(t, Config{DB: d, Now: func() time.Time { return clock }}) }, 1},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			clock = clock.Add(step.advance)
			step.do(t)
			records, err := s.Recent(t.Context(), -1)
			if err != nil || len(records) != step.want {
				t.Fatalf("%d records are left, %v; want %d", len(records), err, step.want)
			}
		})
	}
	if _, err := s.Get(t.Context(), "new"); err != nil {
		t.Errorf("the record that has not expired: %v", err)
	}
}

// TestWhatIsNeededStays checks that only finished deliveries expire, and none with a
// message left: a copy that arrives after forty days must still be recognised.
func TestWhatIsNeededStays(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := openDB(t, filepath.Join(t.TempDir(), "ledger.db"))
	s := newStore(t, Config{DB: d, Now: func() time.Time { return clock }})
	states := []string{"claimed", "creating", "created", "dead", "open", "completed", "dropped"}
	for _, state := range states {
		for _, prefix := range []string{"", "queued "} {
			r := testRecord(prefix+state, 1, clock)
			r.State = state
			put(t, s, r)
		}
	}
	letter := func(id string) string { return "#letter/" + id + "/1" }
	done, gone, dead := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	dropped, waited := strings.Repeat("d", 64), strings.Repeat("e", 64) // waited has a message left
	r := testRecord(done, 1, clock.Add(100*24*time.Hour))
	put(t, s, r)
	r.ID, r.State = dead, "dead"
	put(t, s, r)
	for _, id := range []string{dropped, waited} {
		r := testRecord(id, 1, clock)
		r.State = "dropped"
		put(t, s, r)
	}
	reconciled := testRecord("#reconciled/x", 1, clock)
	reconciled.State = "reconciled"
	put(t, s, reconciled)
	for _, id := range []string{done, gone, dead, dropped, waited} {
		r := testRecord(letter(id), 1, clock)
		r.State = "letter"
		put(t, s, r)
	}
	if err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
		with := []string{waited}
		for _, state := range states {
			with = append(with, "queued "+state)
		}
		for _, id := range with {
			_, err := tx.Exec("INSERT INTO messages (queue, id, sent_at, visible_at, delivery) VALUES (9, 'm', 0, 0, ?)", id)
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		clock = clock.Add(24 * time.Hour)
		newStore(t, Config{DB: d, Now: func() time.Time { return clock }})
	}

	expires := []string{"completed", "dropped", letter(done), letter(gone), dropped, letter(dropped), reconciled.ID}
	for _, id := range append(expires, "claimed", "creating", "created", "dead", "open", "queued completed", "queued dropped", letter(dead),
		waited, letter(waited)) {
		_, err := s.Get(t.Context(), id)
		if stays := !slices.Contains(expires, id); stays != (err == nil) {
			t.Errorf("%s: %v; want it kept: %t", id, err, stays)
		}
	}
	for _, state := range states {
		if ledger.Ended(state) != slices.Contains(expires, state) {
			t.Errorf("Ended(%s) and the expiry of its entry disagree", state)
		}
	}
}

// TestClockThatIsSet checks that setting the clock removes nothing: entries are kept for
// the time that the bridge has run since, plus at most a day for each time it was stopped.
func TestClockThatIsSet(t *testing.T) {
	const day = 24 * time.Hour
	right := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, set := range map[string][2]time.Duration{ // the offset when the entry is written, and afterwards
		"it was right": {}, "years ahead, put right": {5 * 365 * day, 0}, "years behind, put right": {-5 * 365 * day, 0},
		"set on": {0, 400 * day}, "set back": {0, -400 * day}, "since 1970, put right": {-right.Sub(time.Unix(60, 0)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDB(t, filepath.Join(t.TempDir(), "ledger.db"))
			passed, wrong := time.Duration(0), time.Duration(0)
			clock := func() time.Time { return right.Add(passed + wrong) }
			s := newStore(t, Config{DB: d, Now: clock}) // before the clock is set
			wrong = set[0]
			record := testRecord("done", 1, clock().Add(ledger.RetainDone))
			put(t, s, record)
			if got, err := s.Get(t.Context(), "done"); err != nil || !got.ExpiresAt.Equal(record.ExpiresAt) {
				t.Errorf("expires at %s, %v; want %s", got.ExpiresAt, err, record.ExpiresAt)
			}
			wrong = set[1]
			for n := range 50 {
				put(t, s, testRecord(fmt.Sprint("other ", n), 1, clock().Add(ledger.RetainDone)))
				_, err := s.Get(t.Context(), "done")
				if stays := passed <= ledger.RetainDone-2*day; err != nil && stays {
					t.Fatalf("gone after %s: %v", passed, err)
				}
				if expired := passed > ledger.RetainDone+day; err == nil && expired {
					t.Fatalf("still exists after %s", passed)
				}
				passed += day
			}
		})
	}
}

func testRecord(id string, version int64, expiresAt time.Time) ledger.Record {
	return ledger.Record{ID: id, Version: version, State: "completed", ExpiresAt: expiresAt, Doc: []byte(`{"n":` + fmt.Sprint(version) + `}`)}
}

func put(t *testing.T, s *Store, r ledger.Record) {
	t.Helper()
	if err := s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}
