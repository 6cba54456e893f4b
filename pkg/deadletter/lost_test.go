package deadletter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// TestReplayOfALetterThatIsGone checks that a letter which was deleted or has expired is
// replayed from the ledger's copy, and continues where its delivery died.
func TestReplayOfALetterThatIsGone(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		o.die(rejected(t, 1))
		o.lose()
		done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: []string{idOf(1)[:8]}}})
		if err != nil || len(done.Cases) != 1 || done.Failed != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		var sent []deadletter.Letter
		work := &deadletter.Queue{API: o.home.SQS, URL: o.home.WorkQueueURL}
		hold, err := work.Take(t.Context(), func(l deadletter.Letter) { sent = append(sent, l) })
		o.must(err)
		o.must(hold.Release(t.Context()))
		if len(sent) != 1 || sent[0].Body != rejected(t, 1).Body || sent[0].DeliveryID != idOf(1) {
			t.Fatalf("sent %+v", sent)
		}
		c, err := o.ledger.Claim(t.Context(), idOf(1), ledger.Message{Generation: sent[0].Generation, Marked: true})
		o.must(err)
		if e := c.Entry(); e.State != ledger.Claimed || e.Replays != 1 {
			t.Errorf("continues as %+v", e)
		}
	})
}

// lose empties the dead-letter queue without the ledger's knowledge.
func (o *fixture) lose() {
	o.Helper()
	q := &deadletter.Queue{API: o.home.SQS, URL: o.home.DeadLetterQueueURL}
	var all []deadletter.Letter
	hold, err := q.Take(o.Context(), func(l deadletter.Letter) { all = append(all, l) })
	o.must(err)
	hold.Remove(o.Context(), deadletter.Cases(all), func(_ deadletter.Case, err error) { o.must(err) })
	o.must(hold.Release(o.Context()))
}

// looked returns the deliveries that a filter finds, to view and to act on.
func (o *fixture) looked(f deadletter.Filter) (looked, selected []string) {
	o.Helper()
	in, err := o.Look(o.Context(), deadletter.Query{Filter: f, Payloads: true, Bodies: true})
	o.must(err)
	for _, c := range in.Cases {
		if looked = append(looked, c.DeliveryID); c.Saying() == "" {
			o.Errorf("%s comes without its payload", c.DeliveryID)
		}
	}
	in, err = o.Select(o.Context(), deadletter.Query{Filter: f})
	o.must(err)
	o.must(in.Hold.Release(o.Context()))
	for _, c := range in.Cases {
		selected = append(selected, c.DeliveryID)
	}
	slices.Sort(looked)
	slices.Sort(selected)
	return looked, selected
}

// TestLettersThatAreGone checks that letters missing from the queue can be listed, replayed
// and dropped like any other. A delivery being replayed is not selected.
func TestLettersThatAreGone(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		// By then a stack's queue and index agree.
		o.reopen(deadletter.Config{Now: func() time.Time { return time.Now().Add(time.Hour) }})
		for n := 1; n <= 4; n++ {
			o.die(rejected(t, n))
		}
		o.lose()
		o.die(rejected(t, 5))
		replayed, err := o.Replay(t.Context(), deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: []string{idOf(4)}}})
		if err != nil || len(replayed.Cases) != 1 {
			t.Fatalf("%+v, %v", replayed, err)
		}
		want := []string{idOf(1), idOf(2), idOf(3), idOf(5)}
		looked, selected := o.looked(deadletter.Filter{})
		if o.home.Peeks == nil { // a stack's queues cannot be read without a receive
			looked = slices.DeleteFunc(looked, func(id string) bool { return id == idOf(4) })
		}
		if !slices.Equal(looked, want) || !slices.Equal(selected, want) {
			t.Errorf("listed %q, selected %q", looked, selected)
		}
		if looked, selected := o.looked(deadletter.Filter{Statuses: []string{"404"}}); len(looked)+len(selected) != 0 {
			t.Errorf("another status: listed %q, selected %q", looked, selected)
		}

		in, err := o.Select(t.Context(), deadletter.Query{Filter: deadletter.Filter{IDs: []string{idOf(3)}}})
		o.must(err)
		if n := o.Drop(t.Context(), in, "enough", func(_ deadletter.Case, err error) { t.Error(err) }); n != 1 {
			t.Errorf("%d dropped", n)
		}
		o.must(in.Hold.Release(t.Context()))

		var stays []string
		done, err := o.Replay(t.Context(), deadletter.ReplayOptions{
			Confirm: func(context.Context, []deadletter.Case, int) (bool, error) {
				// Meanwhile someone has sent one by hand, and a worker has completed it.
				c, err := o.ledger.Claim(t.Context(), idOf(2), ledger.Message{Generation: 1, Marked: true})
				o.must(err)
				o.must(c.Completed(t.Context()))
				return true, nil
			},
			Stays: func(c deadletter.Case, _ error) { stays = append(stays, c.DeliveryID) },
		})
		if err != nil || len(done.Cases) != 2 || done.Failed != 1 || !slices.Equal(stays, []string{idOf(2)}) {
			t.Errorf("replayed %+v, %v; stay %q", done, err, stays)
		}
		if _, selected := o.looked(deadletter.Filter{}); len(selected) != 0 {
			t.Errorf("selected again: %q", selected)
		}
	})
}

// TestManyLettersThatAreGone checks that any number of them is replayed in batches, each
// once, and that letters which stay do not block the others.
func TestManyLettersThatAreGone(t *testing.T) {
	o := newFixture(t)
	const many = 1050 // more than one batch
	var dying errgroup.Group
	dying.SetLimit(32)
	for n := range many {
		l := rejected(t, n%256)
		l.DeliveryID = fmt.Sprintf("%064x", n)
		if n%100 == 0 {
			l.Generation = deadletter.MostReplays + 1
		}
		dying.Go(func() error {
			var kept bytes.Buffer
			err := deadletter.WriteLetter(&kept, l)
			return errors.Join(err, o.ledger.Adopt(t.Context(), l.DeliveryID, l.Generation, ledger.Fault{Reason: "rejected"}, kept.Bytes()))
		})
	}
	o.must(dying.Wait())
	tooOften := 0
	done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Stays: func(_ deadletter.Case, err error) {
		if errors.Is(err, deadletter.ErrTooOften) {
			tooOften++
		}
	}})
	if err != nil || tooOften != 11 || len(done.Cases) != many-11 || done.Failed != 0 || done.Again != 0 {
		t.Errorf("%d replayed, %d too often, %d failed, %d again, %v", len(done.Cases), tooOften, done.Failed, done.Again, err)
	}
}
