package ledger_test

import (
	"testing"

	"fairbridge/pkg/ledger"
)

// TestNotSentTakesBackWhatWasAnnounced checks that a request known not to have been sent is
// taken back and the delivery stays claimed: if this worker dies, the next one may send it.
func TestNotSentTakesBackWhatWasAnnounced(t *testing.T) {
	b := newBench(t)
	c := b.claim(0)
	b.must(c.Creating(t.Context(), ledger.Where{}))
	b.must(c.NotSent(t.Context()))
	if e := c.Entry(); e.State != ledger.Claimed || !e.HeldAt(b.now) {
		t.Errorf("the ticket is %+v", e)
	}
	b.must(c.Creating(t.Context(), ledger.Where{}))
	b.must(c.Created(t.Context(), "1", nil, nil))
	b.must(c.Attaching(t.Context(), "log"))
	b.must(c.NotSent(t.Context()))
	if e := c.Entry(); e.State != ledger.Created || e.Attaching != "" || !e.HeldAt(b.now) {
		t.Errorf("the attachment is %+v", e)
	}
}
