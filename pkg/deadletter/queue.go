package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"fairbridge/pkg/home"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

const (
	// firstHold is how long a letter is invisible that was just received. It is
	// short because an answer can be lost on its way: the letters in it are back
	// after that time.
	firstHold = 30 * time.Second
	// patience is how long letters are waited for that the queue counts but does
	// not hand out, after an answer may have been lost with them.
	patience = firstHold + 5*time.Second
	// briefly is how long they are waited for otherwise: another command has
	// them, or the count, which SQS brings up to date within about a minute,
	// still has what was deleted.
	briefly = 5 * time.Second
	// extraRounds is how often letters are taken along that arrive meanwhile.
	extraRounds = 10
	// longPoll, in seconds, makes SQS ask all of its servers. A short poll asks
	// some of them, and may find nothing in a queue that has messages.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
	longPoll = 1
)

// Queue is the dead-letter queue, and the work queue that its letters are
// replayed to.
type Queue struct {
	API     home.Queues
	URL     string
	WorkURL string
	// Progress, if it is set, is told how many letters have been taken in hand,
	// of about how many. Several goroutines call it.
	Progress func(taken, of int)
	// Sends, if it is set, is told of each letter right before it is replayed. One
	// that it returns an error for stays. Several goroutines call it.
	Sends func(context.Context, Case) error
}

// Take takes all letters in hand, as [Hold.Take] does.
func (q *Queue) Take(ctx context.Context, visit func(Letter)) (*Hold, error) {
	h := q.Open(ctx)
	if _, err := h.Take(ctx, 0, visit); err != nil {
		return nil, errors.Join(err, h.Release(ctx))
	}
	return h, nil
}

// Open begins to take letters in hand. The caller owes a [Hold.Release].
func (q *Queue) Open(ctx context.Context) *Hold { return newHold(ctx, q) }

// Take takes letters in hand, at most so many (0 for all) besides those that
// are, and shows each to visit once, from several goroutines and in no order.
// Until the release nobody else gets them. What visit does not keep, its body
// above all, takes no memory. more says that the queue has others.
//
// SQS says only about how many messages it has, and answers can be lost: Take
// counts what it is owed and waits for it, 5 s, or 35 s if an answer may have
// been lost. [Hold.Missing] is what did not come.
func (h *Hold) Take(ctx context.Context, most int, visit func(Letter)) (more bool, err error) {
	total, err := h.q.count(ctx)
	if err != nil {
		return false, err
	}
	if h.Counted == 0 {
		h.Counted = total
	}
	start, news, faults, wait := h.Len(), time.Now(), 0, int32(0)
	want := func() int {
		if most > 0 {
			return min(total, start+most)
		}
		return total
	}
	switch {
	case total == 0:
		wait = longPoll
	case total <= start:
		h.Missing = 0
		return false, nil
	}
	for {
		h.rounds++
		before := h.visited.Load()
		err := h.round(ctx, want(), wait, visit)
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
			// 120,000 are in flight, SQS's limit: enough for one run.
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

// enough is how long to wait for what does not come.
func (h *Hold) enough() time.Duration {
	if h.doubt.Load() {
		return patience
	}
	return briefly
}

// round receives until want letters are in hand or nothing more comes.
func (h *Hold) round(ctx context.Context, want int, wait int32, visit func(Letter)) error {
	// One that fails must not cut off the others: their answers would be lost.
	var group errgroup.Group
	for range min(home.Connections, max(1, (want-h.Len()+batchEntries-1)/batchEntries)) {
		group.Go(func() error {
			for {
				letters, err := h.q.receive(ctx, h, wait)
				if err != nil {
					return err
				}
				for _, l := range letters {
					visit(l)
				}
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

// receive takes up to ten letters in hand and returns those that were not yet.
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

// count is about how many messages the dead-letter queue has, in flight or not.
func (q *Queue) count(ctx context.Context) (n int, err error) {
	for try := 1; ; try++ {
		if n, err = q.countOnce(ctx); err == nil || try == tries || !pause(ctx, tryAgain<<try) {
			return n, err
		}
	}
}

func (q *Queue) countOnce(ctx context.Context) (int, error) {
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.API.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(q.URL), AttributeNames: names}, ownBody)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	total := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("count dead letters: the queue's %s is %q", name, out.Attributes[string(name)])
		}
		total += n
	}
	return total, nil
}
