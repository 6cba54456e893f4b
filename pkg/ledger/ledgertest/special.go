package ledgertest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

func set(t *testing.T, s ledger.Store) {
	r := newRecord("#letter/"+newID()+"/1", 1, "first")
	r.Data = []byte("first")
	for range 2 { // whether or not it exists
		if err := s.Set(t.Context(), r); err != nil {
			t.Fatalf("Set: %v", err)
		}
		wantStored(t, s, r)
	}
	r.Version, r.Doc, r.Data = 7, []byte(`{"n":7}`), nil
	if err := s.Set(t.Context(), r); err != nil {
		t.Fatalf("Set: %v", err)
	}
	wantStored(t, s, r)
	wantConflict(t, s.Put(t.Context(), newRecord(r.ID, 1, "intruder")), r)
}

func remove(t *testing.T, s ledger.Store) {
	id := newID()
	mustPut(t, s, newRecord(id, 1, "first"))
	for range 2 { // whether or not it exists
		if err := s.Delete(t.Context(), id); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		if _, err := s.Get(t.Context(), id); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("Get: %v; want ErrNotFound", err)
		}
	}
	mustPut(t, s, newRecord(id, 1, "again"))
}

// Index is a store's index of deliveries that wait for a person.
type Index interface {
	// Noted returns the records with this attention, oldest first.
	Noted(ctx context.Context, attention string) ([]ledger.Record, error)
}

// RunIndex tests that an index contains exactly the records with an attention, complete.
func RunIndex(t *testing.T, s ledger.Store, index Index) {
	waiting := func(r ledger.Record, minute int) ledger.Record {
		r.Attention, r.Since = ledger.AttentionPerson, time.Date(2026, 1, 2, 3, minute, 5, 0, time.UTC)
		r.Data = []byte("data")
		return r
	}
	var want []ledger.Record
	for minute := range 5 {
		r := waiting(newRecord(newID(), 1, fmt.Sprint("waits since ", minute)), minute)
		want = append(want, r)
	}
	for _, n := range []int{3, 0, 4, 2, 1} {
		mustPut(t, s, want[n])
	}
	mustPut(t, s, newRecord(newID(), 1, "waits for nobody"))
	nameless := waiting(newRecord(newID(), 1, "needs nothing more"), 0)
	nameless.Attention = ledger.AttentionNameless
	mustPut(t, s, nameless)
	wantWaiting(t, index, want, nameless)
	if noted, err := index.Noted(t.Context(), ledger.AttentionNameless); err != nil ||
		!slices.ContainsFunc(noted, func(r ledger.Record) bool { return equal(r, nameless) }) ||
		slices.ContainsFunc(noted, func(r ledger.Record) bool { return r.Attention != ledger.AttentionNameless }) {
		t.Errorf("%d are noted, %v; want the one that is", len(noted), err)
	}

	done := want[2]
	done.Version, done.Attention, done.Since = 2, "", time.Time{}
	mustPut(t, s, done)
	later := waiting(want[0], 59)
	later.Version = 2
	mustPut(t, s, later)
	if err := s.Delete(t.Context(), want[4].ID); err != nil {
		t.Fatal(err)
	}
	wantWaiting(t, index, []ledger.Record{want[1], want[3], later}, want...)
}

// wantWaiting ignores other tests' records in the same table: only want and known belong to
// this one.
func wantWaiting(t *testing.T, index Index, want []ledger.Record, known ...ledger.Record) {
	t.Helper()
	records, err := index.Noted(t.Context(), ledger.AttentionPerson)
	if err != nil {
		t.Fatal(err)
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool {
		return !slices.ContainsFunc(slices.Concat(want, known), func(w ledger.Record) bool { return w.ID == r.ID })
	})
	if !slices.EqualFunc(records, want, equal) {
		t.Errorf("%d wait, want %d", len(records), len(want))
		for _, r := range records {
			t.Logf("waiting: %s", show(r))
		}
	}
}

// RunLetters tests deliveries that die with messages of all sizes, and are replayed.
func RunLetters(t *testing.T, s ledger.Store) {
	now := time.Now()
	l := New(t, ledger.Config{Store: s, Now: func() time.Time { return now }})
	hard := make([]byte, 750_000) // a million characters that do not compress further
	_, _ = rand.Read(hard)
	large := []byte(base64.StdEncoding.EncodeToString(hard))
	wantLetter := func(e ledger.Entry, want []byte) {
		t.Helper()
		got, err := l.Letter(t.Context(), e)
		if string(got) != string(want) || (err == nil) != (want != nil) || err != nil && !errors.Is(err, ledger.ErrNoLetter) {
			t.Errorf("of %s: a letter of %d bytes, %v; want %d bytes", e.State, len(got), err, len(want))
		}
	}
	id := newID()
	var last ledger.Entry
	for generation, letter := range [][]byte{[]byte("small"), large, []byte("small again"), {}} {
		c, err := l.Claim(t.Context(), id, ledger.Message{Generation: generation, Marked: true})
		if err != nil {
			t.Fatal(err)
		}
		wantLetter(c.Entry(), nil) // a delivery that is not dead has no letter
		if err := errors.Join(c.KeepLetter(t.Context(), letter), c.Died(t.Context(), ledger.Fault{Reason: "rejected"}, false)); err != nil {
			t.Fatal(err)
		}
		last = c.Entry()
		wantLetter(last, letter)
	}
	if err := l.Drop(t.Context(), id, last.Generation, "a test"); err != nil {
		t.Fatal(err)
	}
	e, err := l.Entry(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	wantLetter(e, []byte{})
	for n := 1; n <= e.Letter; n++ {
		part, err := s.Get(t.Context(), partOf(id, n))
		if want := now.Add(ledger.RetainDone); err != nil || part.ExpiresAt.Unix() != want.Unix() {
			t.Errorf("part %d of a dropped delivery's letter expires at %s, %v; want %s", n, part.ExpiresAt, err, want)
		}
	}

	c, err := l.Claim(t.Context(), id, ledger.Message{Generation: e.Generation, Marked: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Completed(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLetter(c.Entry(), nil)
	wantNoParts(t, s, id, last.Letter)
	lettersEnd(t, s)

}
