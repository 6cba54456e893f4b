package ledgertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// running tests what the ledger records about the running mapping.
func running(t *testing.T, s ledger.Store) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := New(t, ledger.Config{Store: s, Now: func() time.Time { return clock }})
	// In a store that is in use, the record is restored afterwards.
	if was, err := s.Get(t.Context(), "#running"); err == nil {
		defer func() { _ = s.Set(context.WithoutCancel(t.Context()), was) }()
	} else {
		defer func() { _ = s.Delete(context.WithoutCancel(t.Context()), "#running") }()
	}
	one, other := newID(), newID()
	for _, step := range []struct {
		hash, problem string
		since         time.Duration
	}{{one, "", 0}, {one, "", 0}, {one, "line 3", 0}, {other, "", 3 * time.Hour}, {one, "", 4 * time.Hour}} {
		want := ledger.Running{Hash: step.hash, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(step.since), File: "/a/fairbridge.yaml", Problem: step.problem}
		if err := l.NowRuns(t.Context(), ledger.Running{Hash: step.hash, File: want.File, Problem: step.problem}, "the text of "+step.hash); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Running(t.Context()); err != nil || got != want {
			t.Errorf("what runs is %+v, %v; want %+v", got, err, want)
		}
		clock = clock.Add(time.Hour)
	}
	for _, hash := range []string{one, other} {
		if got, err := l.Mapping(t.Context(), hash); err != nil || got != "the text of "+hash {
			t.Errorf("mapping %s is %q, %v", hash, got, err)
		}
	}
	// Entries name the mapping, so it must be stored before it is recorded as running.
	broken := &setFails{Store: s}
	if err := New(t, ledger.Config{Store: broken}).NowRuns(t.Context(), ledger.Running{Hash: "new"}, "new"); !errors.Is(err, errSet) {
		t.Errorf("got %v", err)
	}
	if got, err := l.Mapping(t.Context(), "new"); err != nil || got != "new" {
		t.Errorf("the mapping is %q, %v", got, err)
	}
}

var errSet = errors.New("no writes")

// setFails is a store that cannot record the running mapping.
type setFails struct{ ledger.Store }

func (s setFails) Set(ctx context.Context, r ledger.Record) error {
	if r.ID == "#running" {
		return errSet
	}
	return s.Store.Set(ctx, r)
}
