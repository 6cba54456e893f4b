package ledger_test

import (
	"errors"
	"testing"

	"fairbridge/pkg/ledger"
)

// TestSettleTicketWithoutID settles a ticket for which Centercode's response did not
// contain the id, which the endpoint of its files needs. A person can supply it.
func TestSettleTicketWithoutID(t *testing.T) {
	b := newBench(t)
	c := b.claim(0)
	b.must(c.Creating(t.Context(), ledger.Where{}))
	b.must(c.Created(t.Context(), "", nil, nil))
	b.must(c.Died(t.Context(), ledger.Fault{Reason: "attachment_endpoint"}, true))
	for _, tc := range []struct {
		name   string
		settle func() error
	}{
		{"made again", func() error { return b.SettleNotCreated(t.Context(), "d1") }},
		{"without an id", func() error { return b.SettleCreated(t.Context(), "d1", "") }},
	} {
		if err := tc.settle(); !errors.Is(err, ledger.ErrNotParked) {
			t.Errorf("%s: %v, want ErrNotParked", tc.name, err)
		}
	}
	b.must(b.SettleCreated(t.Context(), "d1", "99"))
	if err := b.SettleCreated(t.Context(), "d1", "100"); !errors.Is(err, ledger.ErrNotParked) {
		t.Errorf("another id than the one it has: %v, want ErrNotParked", err)
	}
	if e := b.claim(1).Entry(); e.State != ledger.Created || e.TicketID != "99" {
		t.Errorf("continued as %+v", e)
	}
}
