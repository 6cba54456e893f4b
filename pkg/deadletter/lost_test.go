package deadletter_test

import (
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// A letter that somebody deleted, or whose time in the queue was over, is replayed
// from what the ledger keeps, and goes on from where its delivery died.
func TestReplayOfALetterThatIsGone(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *office) {
		o.die(rejected(t, 1))
		q := &deadletter.Queue{API: o.home.SQS, URL: o.home.DeadLetterQueueURL}
		var all []deadletter.Letter
		hold, err := q.Take(t.Context(), func(l deadletter.Letter) { all = append(all, l) })
		o.must(err)
		hold.Remove(t.Context(), deadletter.Cases(all), func(_ deadletter.Case, err error) { o.must(err) })
		o.must(hold.Release(t.Context()))

		done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: []string{idOf(1)[:8]}}})
		if err != nil || len(done.Cases) != 1 || done.Failed != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		var sent []deadletter.Letter
		work := &deadletter.Queue{API: o.home.SQS, URL: o.home.WorkQueueURL}
		hold, err = work.Take(t.Context(), func(l deadletter.Letter) { sent = append(sent, l) })
		o.must(err)
		o.must(hold.Release(t.Context()))
		if len(sent) != 1 || sent[0].Body != rejected(t, 1).Body || sent[0].DeliveryID != idOf(1) {
			t.Fatalf("sent %+v", sent)
		}
		c, err := o.ledger.Claim(t.Context(), idOf(1), ledger.Message{Generation: sent[0].Generation, Marked: true})
		o.must(err)
		if e := c.Entry(); e.State != ledger.Claimed || e.Replays != 1 {
			t.Errorf("goes on as %+v", e)
		}
	})
}
