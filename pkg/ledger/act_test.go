package ledger_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// TestAct checks that a person's action is recorded, and kept, whatever a worker does at
// the same time.
func TestAct(t *testing.T) {
	b := newBench(t, ledger.Config{Who: func(context.Context) string { return "ada" }})
	b.must(b.Act(t.Context(), "d1", "looked at it"))
	if _, err := b.Entry(t.Context(), "d1"); err == nil {
		t.Error("an entry was created for an unknown delivery")
	}
	c := b.claim(0)
	held := b.entry()
	b.must(b.Act(t.Context(), "d1", "corrected email", ledger.ActionReplayed))
	if e := b.entry(); !e.LeaseUntil.Equal(held.LeaseUntil) || !e.UpdatedAt.Equal(held.UpdatedAt) || e.Owner != held.Owner {
		t.Errorf("the lease is %+v", e)
	}
	b.must(c.Creating(t.Context(), ledger.Where{}))
	b.must(b.Act(t.Context(), "d1", "frowned"))
	b.must(c.Died(t.Context(), ledger.Fault{Reason: "rejected", Stage: "create", Text: "no", At: b.entry().UpdatedAt.Add(time.Minute)}, true))
	e := b.entry()
	var did []string
	for _, a := range e.Actions {
		if did = append(did, a.What); a.Who != "ada" || a.At.IsZero() {
			t.Errorf("%+v", a)
		}
	}
	if want := []string{"corrected email", ledger.ActionReplayed, "frowned"}; e.State != ledger.Dead || !slices.Equal(did, want) {
		t.Errorf("%s after %q", e.State, did)
	}
}

// TestReplayedSince checks that a replay counts until the delivery dies again.
func TestReplayedSince(t *testing.T) {
	at := func(minutes int) time.Time {
		return time.Date(2026, 1, 1, 12, minutes, 0, int(time.Second)/2, time.UTC)
	}
	dead := ledger.Entry{State: ledger.Dead, Last: &ledger.Fault{Reason: "rejected", At: at(1)}}
	for _, tc := range []struct {
		name string
		e    ledger.Entry
		want bool
	}{
		{"never", dead, false},
		{"before", dead.AsActed(ledger.Action{At: at(0), What: ledger.ActionReplayed}), false},
		{"at once", dead.AsActed(ledger.Action{At: at(1), What: ledger.ActionReplayed}), true},
		{"later", dead.AsActed(ledger.Action{At: at(2), What: ledger.ActionReplayed}), true},
		{"something else", dead.AsActed(ledger.Action{At: at(2), What: "frowned"}), false},
	} {
		if got := tc.e.ReplayedSince(); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
