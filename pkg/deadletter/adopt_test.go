package deadletter_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// Of several letters the newest is adopted, what is on its way back or done is left
// alone, and every letter stays, visible to all.
func TestAdoptUnknown(t *testing.T) {
	newer := rejected(t, 2)
	newer.Generation, newer.Body = newer.Generation+1, strings.Replace(newer.Body, "feedback 2", "corrected", 1)
	o := newOffice(t, rejected(t, 1), rejected(t, 2), newer, rejected(t, 2), rejected(t, 3), rejected(t, 4))
	work := &deadletter.Queue{API: o.home.SQS, URL: o.home.WorkQueueURL}
	work.Add(t.Context(), []deadletter.Letter{rejected(t, 3)}, func(_ deadletter.Letter, err error) { o.must(err) })
	o.must(o.claim(idOf(4)).Completed(t.Context()))
	o.die(rejected(t, 5))
	for again, want := range []int{2, 0} {
		var left []string
		n, err := o.AdoptUnknown(t.Context(), func(l deadletter.Letter, _ error) { left = append(left, l.DeliveryID) })
		if err != nil || n != want || len(left) != 0 {
			t.Errorf("call %d: %d adopted, %q left, %v; want %d", again+1, n, left, err, want)
		}
	}
	waiting, err := o.home.History.Waiting(t.Context())
	o.must(err)
	if len(waiting) != 3 {
		t.Errorf("%d wait for a person, want 3", len(waiting))
	}
	e, err := o.ledger.Entry(t.Context(), idOf(2))
	o.must(err)
	kept, err := o.ledger.Letter(t.Context(), e)
	if err != nil || !strings.Contains(string(kept), "corrected") || e.Resume != ledger.Claimed {
		t.Errorf("%+v, letter %s, %v", e, kept, err)
	}
	if depth, err := o.home.Depth(t.Context(), o.home.DeadLetterQueueURL); err != nil || depth.Waiting != 7 {
		t.Errorf("%+v letters, %v; want 7 that are visible", depth, err)
	}
}
