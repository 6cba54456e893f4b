package deadletter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// TestAdoptUnknown checks that the newest of several letters is adopted, that deliveries
// being replayed or completed are left alone, and that every letter stays visible in the
// queue.
func TestAdoptUnknown(t *testing.T) {
	newer := rejected(t, 2)
	newer.Generation, newer.Body = newer.Generation+1, strings.Replace(newer.Body, "feedback 2", "corrected", 1)
	o := newFixture(t, rejected(t, 1), rejected(t, 2), newer, rejected(t, 2), rejected(t, 3), rejected(t, 4))
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
	waiting, err := o.home.History.Noted(t.Context(), ledger.AttentionPerson)
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

// TestForeignMessageIsOneDelivery checks that a foreign message has the same id everywhere:
// for list, adoption, replay and status.
func TestForeignMessageIsOneDelivery(t *testing.T) {
	o := newFixture(t)
	_, err := o.home.SQS.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &o.home.DeadLetterQueueURL,
		Entries: []types.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("hello")}}})
	o.must(err)
	id := queue.DeliveryID("hello")
	// A difference between queue and ledger counts only once it has lasted, so this
	// manager's clock is an hour behind.
	o.reopen(deadletter.Config{Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	if n, err := o.AdoptUnknown(t.Context(), func(_ deadletter.Letter, err error) { t.Error(err) }); err != nil || n != 1 {
		t.Errorf("%d adopted, %v", n, err)
	}
	agree := func(letters int) {
		t.Helper()
		if listed, err := o.Look(t.Context(), deadletter.Query{}); err != nil || len(listed.Cases) != letters || letters > 0 && listed.Cases[0].DeliveryID != id {
			t.Errorf("listed %+v, %v", listed, err)
		}
		for _, p := range o.home.Status(t.Context(), home.StatusOptions{}).Problems {
			if strings.Contains(p, "without a letter") || strings.Contains(p, "does not know") {
				t.Errorf("status reports %q", p)
			}
		}
	}
	agree(1)
	if done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: []string{id[:8]}}}); err != nil || len(done.Cases) != 1 {
		t.Errorf("replayed %+v, %v", done, err)
	}
	agree(0)
}
