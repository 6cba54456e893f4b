package home

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// QueueDepth is the number of messages in a queue; approximate for SQS.
type QueueDepth struct {
	Waiting int `json:"waiting"`
	InWork  int `json:"inWork"`
	Delayed int `json:"delayed"`
	// Files is how many of them have their tickets, and slow files.
	Files int `json:"files,omitempty"`
	// Oldest is when the oldest message was sent, if that is known.
	Oldest time.Time `json:"oldest,omitzero"`
}

// Total returns how many messages are in the queue.
func (q *QueueDepth) Total() int { return q.Waiting + q.InWork + q.Delayed }

// Depth counts the messages of a queue.
func (h *Home) Depth(ctx context.Context, queueURL string) (*QueueDepth, error) {
	q, err := Count(ctx, h.SQS, queueURL)
	if err == nil && h.Peeks != nil {
		q.Oldest, err = h.Peeks.Oldest(ctx, queueURL)
	}
	return q, err
}

// Count counts the messages of a queue, without [QueueDepth.Oldest].
func Count(ctx context.Context, api Queues, queueURL string, options ...func(*sqs.Options)) (*QueueDepth, error) {
	wanted := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(queueURL), AttributeNames: wanted}, options...)
	if err != nil {
		return nil, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	var q QueueDepth
	for i, n := range []*int{&q.Waiting, &q.InWork, &q.Delayed} {
		if *n, err = strconv.Atoi(out.Attributes[string(wanted[i])]); err != nil {
			return nil, fmt.Errorf("count the messages of %s: %s is not a number", queueURL, wanted[i])
		}
	}
	return &q, nil
}

// workQueues returns the queues of deliveries on their way: the work queue and, if there is
// one, the files queue.
func (h *Home) workQueues() []string {
	if h.FilesQueueURL == "" {
		return []string{h.WorkQueueURL}
	}
	// A delivery moves from the first to the second: reading both in this order may see it
	// twice, but does not miss it.
	return []string{h.WorkQueueURL, h.FilesQueueURL}
}

// WorkDepth counts the deliveries on their way in both queues together.
func (h *Home) WorkDepth(ctx context.Context) (*QueueDepth, error) {
	var all QueueDepth
	for _, queueURL := range h.workQueues() {
		q, err := h.Depth(ctx, queueURL)
		if err != nil {
			return nil, err
		}
		all.Waiting, all.InWork, all.Delayed = all.Waiting+q.Waiting, all.InWork+q.InWork, all.Delayed+q.Delayed
		if queueURL == h.FilesQueueURL {
			all.Files = q.Total()
		}
		if all.Oldest.IsZero() || !q.Oldest.IsZero() && q.Oldest.Before(all.Oldest) {
			all.Oldest = q.Oldest
		}
	}
	return &all, nil
}

// OnTheirWay returns the ids of the deliveries on their way, with when the last of their
// messages was sent. It needs [Home.Peeks].
func (h *Home) OnTheirWay(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for _, queueURL := range h.workQueues() {
		some, err := h.Peeks.Deliveries(ctx, queueURL)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, some) // one that is in both was sent to the second later
	}
	return all, nil
}

// InQueues returns the ids of the deliveries that have messages, on their way and as dead
// letters, with when the last of those was sent; nil on AWS, where messages can only be
// counted.
func (h *Home) InQueues(ctx context.Context) (onTheirWay, letters map[string]time.Time, err error) {
	if h.Peeks == nil {
		return nil, nil, nil
	}
	// The letters are read first: what is replayed meanwhile is then in both lists, not in
	// neither.
	letters, err = h.Peeks.Deliveries(ctx, h.DeadLetterQueueURL)
	if err == nil {
		onTheirWay, err = h.OnTheirWay(ctx)
	}
	return onTheirWay, letters, err
}

// PeekWork calls visit for the messages of the deliveries on their way, until it returns
// false. On AWS it visits none.
func (h *Home) PeekWork(ctx context.Context, visit func(types.Message) bool) error {
	if h.Peeks == nil {
		return nil
	}
	goesOn := true
	for _, queueURL := range h.workQueues() {
		err := h.Peeks.Peek(ctx, queueURL, func(m types.Message) bool {
			goesOn = visit(m)
			return goesOn
		})
		if err != nil || !goesOn {
			return err
		}
	}
	return nil
}
