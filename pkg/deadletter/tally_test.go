package deadletter_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

func TestTally(t *testing.T) {
	completed, going := deadletter.End{Ended: true, Completed: true}, deadletter.End{}
	again := func(reason string) deadletter.End {
		return deadletter.End{Ended: true, Fault: ledger.Fault{Reason: reason}}
	}
	for want, ends := range map[string][]deadletter.End{
		"0 completed": nil,
		"2 completed, 3 dead again (1 mapping, 2 rejected), 1 still on their way": {completed, again("rejected"), going, again("mapping"), again("rejected"), completed},
		"1 completed": {completed},
	} {
		if got := deadletter.TallyOf(ends).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestFirst checks that the first letter to try is the oldest one that would be replayed.
func TestFirst(t *testing.T) {
	often := rejected(t, 1)
	often.Generation = deadletter.MostReplays + 1
	done := rejected(t, 2)
	o := newFixture(t, rejected(t, 5), often, done, rejected(t, 4), rejected(t, 3))
	o.must(o.claim(done.DeliveryID).Completed(t.Context()))
	options, rest, err := o.First(t.Context(), 2, deadletter.ReplayOptions{PerSecond: 3})
	o.must(err)
	if got := strings.Join(options.Filter.IDs, " "); got != idOf(3)+" "+idOf(4) || rest != 1 || options.PerSecond != 3 {
		t.Errorf("tries %s, rest %d", got, rest)
	}
	if _, _, err := o.First(t.Context(), 1, deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: []string{done.DeliveryID}}}); err == nil {
		t.Error("a completed delivery is tried")
	}
}
