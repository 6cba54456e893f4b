// Package ledgertest is the contract test of a [ledger.Store]. Every store passes it:
// SQLite, the fake DynamoDB, and the emulator's DynamoDB in e2e.
package ledgertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// New returns a ledger, and fails the test if the config is invalid.
func New(t testing.TB, c ledger.Config) *ledger.Ledger {
	t.Helper()
	l, err := ledger.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Run runs the suite. newStore returns the store for one test; the stores may share a
// table, since every test uses its own ids.
func Run(t *testing.T, newStore func(t *testing.T) ledger.Store) {
	tests := []struct {
		name string
		test func(*testing.T, ledger.Store)
	}{
		{"Get of nothing is ErrNotFound", getOfNothing},
		{"the first version is written once", createOnce},
		{"the next version replaces", replace},
		{"any other version is a conflict that carries the record", conflicts},
		{"a later version of nothing is ErrNotFound", laterVersionOfNothing},
		{"a lost reply: the same Put finds its own record", ownRecord},
		{"round trip", roundTrip},
		{"a record is the caller's own copy", copies},
		{"an id is taken to the letter", isolation},
		{"an expired record counts until it is removed", expired},
		{"Set replaces whatever is there", set},
		{"Delete removes what is there", remove},
		{"which mapping runs is written down", running},
		{"a cancelled context ends a call", cancelled},
		{"of racing creators one wins", racingCreators},
		{"of racing writers of one version one wins", racingWriters},
		{"no update is lost", counting},
		{"a Get sees what was put before it", readYourWrites},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newStore(t)) })
	}
}

func getOfNothing(t *testing.T, s ledger.Store) {
	r, err := s.Get(t.Context(), newID())
	if !errors.Is(err, ledger.ErrNotFound) || r.Version != 0 {
		t.Errorf("Get = %v, %v; want ErrNotFound", show(r), err)
	}
}

func createOnce(t *testing.T, s ledger.Store) {
	first := newRecord(newID(), 1, "first")
	mustPut(t, s, first)
	wantStored(t, s, first)
	wantConflict(t, s.Put(t.Context(), newRecord(first.ID, 1, "second")), first)
	wantStored(t, s, first)
}

func replace(t *testing.T, s ledger.Store) {
	id := newID()
	for version := int64(1); version <= 5; version++ {
		r := newRecord(id, version, fmt.Sprint("write ", version))
		r.State = fmt.Sprint("state ", version)
		r.ExpiresAt = r.ExpiresAt.Add(time.Duration(version) * time.Hour)
		mustPut(t, s, r)
		wantStored(t, s, r)
	}
}

func conflicts(t *testing.T, s ledger.Store) {
	id := newID()
	var stored ledger.Record
	for version := int64(1); version <= 3; version++ {
		stored = newRecord(id, version, "stored")
		mustPut(t, s, stored)
	}
	for _, version := range []int64{1, 2, 3, 5, 6, 1 << 53} {
		wantConflict(t, s.Put(t.Context(), newRecord(id, version, "intruder")), stored)
		wantStored(t, s, stored)
	}
	next := newRecord(id, 4, "next")
	mustPut(t, s, next)
	wantStored(t, s, next)
}

func laterVersionOfNothing(t *testing.T, s ledger.Store) {
	id := newID()
	err := s.Put(t.Context(), newRecord(id, 2, "later"))
	if !errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("Put of version 2 = %v; want ErrNotFound", err)
	}
	if _, err := s.Get(t.Context(), id); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Get after it = %v; want ErrNotFound", err)
	}
}

func ownRecord(t *testing.T, s ledger.Store) {
	id := newID()
	for version := int64(1); version <= 2; version++ {
		r := newRecord(id, version, "mine")
		mustPut(t, s, r)
		wantConflict(t, s.Put(t.Context(), r), r)
	}
}

func roundTrip(t *testing.T, s ledger.Store) {
	future := time.Date(2999, 12, 31, 23, 59, 59, 0, time.UTC)
	tests := []struct {
		name string
		edit func(*ledger.Record)
	}{
		{"smallest document", func(r *ledger.Record) { r.Doc = []byte(`{}`) }},
		{"space and escapes stay", func(r *ledger.Record) { r.Doc = []byte("{ \"a\" :\t\"\\u00e9\\/\\n\\u0000\" ,\n\"n\":1.00e+2}\n") }},
		{"Unicode", func(r *ledger.Record) {
			r.Doc = []byte(`{"text":"é e` + "\u0301" + ` 日本語 👩‍🚀 ` + "\u2028\ufeff\ufffd" + ` עברית"}`)
		}},
		{"60 KB", func(r *ledger.Record) { r.Doc = []byte(`{"x":"` + strings.Repeat("0123456789", 6*1024) + `"}`) }},
		{"60 KB of two-byte letters", func(r *ledger.Record) { r.Doc = []byte(`{"x":"` + strings.Repeat("äö", 15*1024) + `"}`) }},
		{"data of 300 KB", func(r *ledger.Record) { r.Data = []byte(strings.Repeat("\x00\xff\x1f\x8b", 75_000)) }},
		{"attention", func(r *ledger.Record) {
			r.Attention, r.Since = ledger.AttentionPerson, time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
		}},
		{"no state", func(r *ledger.Record) { r.State = "" }},
		{"a state with quotes", func(r *ledger.Record) { r.State = `"it's" :v; -- ü` }},
		{"expiry in another zone", func(r *ledger.Record) {
			r.ExpiresAt = future.In(time.FixedZone("", -5*60*60))
		}},
		{"expiry is kept to the second", func(r *ledger.Record) { r.ExpiresAt = future.Add(999 * time.Millisecond) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecord(newID(), 1, "round trip")
			tt.edit(&r)
			mustPut(t, s, r)
			wantStored(t, s, r)
			wantConflict(t, s.Put(t.Context(), newRecord(r.ID, 1, "intruder")), r)
			r.Version = 2
			mustPut(t, s, r)
			wantStored(t, s, r)
		})
	}
}

// copies modifies the bytes passed to Put and those returned by Get: neither change may
// reach the store.
func copies(t *testing.T, s ledger.Store) {
	r := newRecord(newID(), 1, "original")
	in := r
	in.Doc = []byte(string(r.Doc))
	mustPut(t, s, in)
	clear(in.Doc)
	got := wantStored(t, s, r)
	clear(got.Doc)
	wantStored(t, s, r)
}

func isolation(t *testing.T, s ledger.Store) {
	id := newID()
	ids := []string{id, id + "0", id[:len(id)-1], strings.ToUpper(id) + "A", id + "a", id + "%", id + "_", " " + id}
	for _, id := range ids {
		mustPut(t, s, newRecord(id, 1, "of "+id))
	}
	mustPut(t, s, newRecord(id, 2, "changed"))
	wantStored(t, s, newRecord(id, 2, "changed"))
	for _, id := range ids[1:] {
		wantStored(t, s, newRecord(id, 1, "of "+id))
	}
}

// expired cannot know when a store removes expired records, so it accepts both: the record
// still exists, or it is gone.
func expired(t *testing.T, s ledger.Store) {
	old := newRecord(newID(), 1, "old")
	old.ExpiresAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	mustPut(t, s, old)
	if got, err := s.Get(t.Context(), old.ID); err == nil {
		wantEqual(t, "Get", got, old)
	} else if !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	again := newRecord(old.ID, 1, "again")
	err := s.Put(t.Context(), again)
	if errors.Is(err, ledger.ErrConflict) && !isOwn(err, again) {
		wantConflict(t, err, old)
		again.Version = 2
		if err = s.Put(t.Context(), again); errors.Is(err, ledger.ErrNotFound) {
			return // removed just now
		}
	}
	if err != nil && !isOwn(err, again) {
		t.Fatalf("Put over an expired record: %v", err)
	}
	wantStored(t, s, again)
}

func cancelled(t *testing.T, s ledger.Store) {
	r := newRecord(newID(), 1, "stored")
	mustPut(t, s, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, newRecord(r.ID, 2, "too late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v; want context.Canceled", err)
	}
	if _, err := s.Get(ctx, r.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v; want context.Canceled", err)
	}
	wantStored(t, s, r)
}

// newID returns a unique delivery id.
func newID() string {
	sum := sha256.Sum256([]byte(rand.Text()))
	return hex.EncodeToString(sum[:])
}

// newRecord returns a record that expires in the distant future.
func newRecord(id string, version int64, text string) ledger.Record {
	return ledger.Record{
		ID: id, Version: version, State: "claimed",
		ExpiresAt: time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC),
		Doc:       fmt.Appendf(nil, `{"text":%q}`, text),
	}
}

// mustPut writes r. Over a network, a conflict with r itself is a success whose reply was
// lost.
func mustPut(t *testing.T, s ledger.Store, r ledger.Record) {
	t.Helper()
	if err := s.Put(t.Context(), r); err != nil && !isOwn(err, r) {
		t.Fatalf("Put(%v): %v", show(r), err)
	}
}

func isOwn(err error, r ledger.Record) bool {
	var conflict *ledger.ConflictError
	return errors.As(err, &conflict) && equal(conflict.Current, r)
}

// wantStored checks the result of Get, and returns it.
func wantStored(t *testing.T, s ledger.Store, want ledger.Record) ledger.Record {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Get: %v; want %v", err, show(want))
	}
	wantEqual(t, "Get", got, want)
	return got
}

func wantConflict(t *testing.T, err error, current ledger.Record) {
	t.Helper()
	var conflict *ledger.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, ledger.ErrConflict) {
		t.Fatalf("Put: %v; want a conflict with %v", err, show(current))
	}
	wantEqual(t, "the conflict", conflict.Current, current)
}

func wantEqual(t *testing.T, what string, got, want ledger.Record) {
	t.Helper()
	if !equal(got, want) {
		t.Errorf("%s has %v; want %v", what, show(got), show(want))
	}
}

func equal(a, b ledger.Record) bool {
	return a.ID == b.ID && a.Version == b.Version && a.State == b.State &&
		a.ExpiresAt.Unix() == b.ExpiresAt.Unix() && string(a.Doc) == string(b.Doc) &&
		a.Attention == b.Attention && a.Since.Equal(b.Since) && string(a.Data) == string(b.Data)
}

// show formats a record for a failure message, with a long document truncated.
func show(r ledger.Record) string {
	doc := fmt.Sprintf("%q", r.Doc)
	if len(doc) > 200 {
		doc = fmt.Sprintf("%s... (%d bytes)", doc[:200], len(r.Doc))
	}
	return fmt.Sprintf("{%s v%d %q expires %s, %q since %s, %d bytes of data, %s}", r.ID, r.Version, r.State,
		r.ExpiresAt.UTC().Format(time.RFC3339Nano), r.Attention, r.Since.Format(time.RFC3339Nano), len(r.Data), doc)
}
