package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/home"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

const (
	// firstHold is the visibility timeout of a letter that was just received. It is short
	// because an answer can be lost: the letters in it are visible again after that time.
	firstHold = 30 * time.Second
	// patience is how long to wait for letters that the queue reports but does not return,
	// if an answer with them may have been lost.
	patience = firstHold + 5*time.Second
	// briefly is how long to wait for them otherwise: another command holds them, or the
	// count, which SQS updates within about a minute, still includes deleted ones.
	briefly = 5 * time.Second
	// extraRounds is how often letters that arrive meanwhile are included.
	extraRounds = 10
	// longPoll, in seconds, makes SQS query all of its servers. A short poll queries some
	// of them, and may find nothing in a queue that has messages. See
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
	longPoll = 1
)

// Queue is the dead-letter queue, with the work queue that its letters are replayed to.
type Queue struct {
	API     home.Queues
	URL     string
	WorkURL string
	// Exact says that the queue's count is not an estimate, as in a folder.
	Exact bool
	// Progress, if set, is called with the number of letters received, and the approximate
	// total, from several goroutines.
	Progress func(taken, of int)
	// Sends, if set, is called for each letter right before it is replayed, from several
	// goroutines. A letter for which it returns an error stays.
	Sends func(context.Context, Case) error
}

// Take receives all letters, as [Hold.Take] does.
func (q *Queue) Take(ctx context.Context, visit func(Letter)) (*Hold, error) {
	h := q.Open(ctx)
	if _, err := h.Take(ctx, 0, visit); err != nil {
		return nil, errors.Join(err, h.Release(ctx))
	}
	return h, nil
}

// Take receives and holds up to most letters (0 for all) in addition to those already held,
// and calls visit once for each, one at a time and in no order. Nobody else receives
// them until the release. Letters take no memory unless visit keeps them. more means that the
// queue has others.
//
// SQS only estimates its number of messages, and answers can be lost. So Take compares what
// it has received with the estimate and waits for the rest, 5 s, or 35 s if an answer may
// have been lost. [Hold.Missing] is what did not come.
func (h *Hold) Take(ctx context.Context, most int, visit func(Letter)) (more bool, err error) {
	total, err := h.q.count(ctx)
	if err != nil {
		return false, err
	}
	if h.Counted == 0 {
		h.Counted = total
	}
	start, news, faults, wait := h.Len(), time.Now(), 0, int32(0)
	if total <= start && (total > 0 || h.q.Exact) {
		h.Missing = 0
		return false, nil
	}
	if total == 0 {
		wait = longPoll
	}
	for {
		want := total
		if most > 0 {
			want = min(total, start+most)
		}
		h.rounds++
		before := h.visited.Load()
		err := h.round(ctx, want, wait, visit)
		if wait = longPoll; h.visited.Load() > before {
			news, faults, wait = time.Now(), 0, 0
		}
		if err != nil {
			faults++
		}
		var full *types.OverLimit
		switch {
		case ctx.Err() != nil:
			return false, fmt.Errorf("read dead letters: %w", ctx.Err())
		case errors.As(err, &full):
			// 120,000 messages are in flight, SQS's limit: enough for one run.
			h.Missing = max(1, total-h.Len())
			return false, nil
		case faults == tries:
			return false, err
		}
		if total, err = h.q.count(ctx); err != nil {
			return false, err
		}
		h.Missing = max(0, total-h.Len())
		switch {
		case most > 0 && h.Len() >= start+most:
			return true, nil
		case h.Missing == 0 && faults == 0, time.Since(news) > h.enough(), h.rounds > extraRounds && int(h.visited.Load()) >= h.Counted:
			return false, nil
		}
	}
}

// enough returns how long to wait for missing letters.
func (h *Hold) enough() time.Duration {
	if h.doubt.Load() {
		return patience
	}
	return briefly
}

// round receives until want letters are held or nothing more comes.
func (h *Hold) round(ctx context.Context, want int, wait int32, visit func(Letter)) error {
	// A call that fails must not cancel the others: their answers would be lost.
	var group errgroup.Group
	for range min(home.Connections, max(1, (want-h.Len()+batchEntries-1)/batchEntries)) {
		group.Go(func() error {
			for {
				letters, err := h.q.receive(ctx, h, wait)
				if err != nil {
					return err
				}
				h.visit(letters, visit)
				if h.q.Progress != nil {
					h.q.Progress(int(h.visited.Load()), h.Counted)
				}
				if len(letters) == 0 || h.Len() >= want {
					return nil
				}
			}
		})
	}
	return group.Wait()
}

// visit calls visit for letters, while no other call does.
func (h *Hold) visit(letters []Letter, visit func(Letter)) {
	h.visiting.Lock()
	defer h.visiting.Unlock()
	for _, l := range letters {
		visit(l)
	}
}

// receive receives up to ten letters and returns those that were not held yet.
func (q *Queue) receive(ctx context.Context, h *Hold, wait int32) ([]Letter, error) {
	began, requests := time.Now(), 0
	out, err := q.API.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:              aws.String(q.URL),
		MaxNumberOfMessages:   batchEntries,
		WaitTimeSeconds:       wait,
		VisibilityTimeout:     int32(firstHold / time.Second),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameSentTimestamp, types.MessageSystemAttributeNameDeadLetterQueueSourceArn,
		},
	}, func(o *sqs.Options) { o.HTTPClient = bodyOwner{o.HTTPClient, &requests} })
	if err != nil || requests > 1 {
		h.doubt.Store(true)
	}
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	letters := make([]Letter, 0, len(out.Messages))
	for _, m := range out.Messages {
		if h.add(aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle), began.Add(firstHold)) {
			l := letterOf(m)
			h.see(l.DeliveryID)
			letters = append(letters, l)
		}
	}
	return letters, nil
}

// count returns the approximate number of messages in the dead-letter queue, in flight or
// not.
func (q *Queue) count(ctx context.Context) (int, error) {
	for try := 1; ; try++ {
		depth, err := home.Count(ctx, q.API, q.URL, ownBody)
		if err == nil {
			return depth.Total(), nil
		}
		if try == tries || !pause(ctx, tryAgain<<try) {
			return 0, err
		}
	}
}
