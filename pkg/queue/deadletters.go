package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	// hold is how long a letter stays invisible while it is looked at. If the
	// tool dies, it is back in its place after that.
	hold = 5 * time.Minute
	// pollSeconds is how long a receive waits: a short poll asks only some of
	// SQS's servers, and may find nothing in a queue that has messages.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
	pollSeconds = 1
)

// API is what the dead-letter tools need of SQS. *sqs.Client satisfies it, and
// so does pkg/embedded.
type API interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Letter is a message of the dead-letter queue.
type Letter struct {
	DeadLetter
	// MessageID is SQS's.
	MessageID string
	// SentAt is when the message came into its first queue: a message that SQS
	// moved keeps that time.
	SentAt time.Time
	Body   string

	receipt string
}

// DeadLetters is the dead-letter queue, and the queue that its letters are
// replayed to.
type DeadLetters struct {
	API     API
	URL     string
	WorkURL string
}

// Action is what to do with a letter.
type Action int

const (
	// Keep leaves the letter where it is.
	Keep Action = iota
	// Replay sends it to the work queue.
	Replay
)

// Each shows every letter to choose, once, and does what it answers. What is
// kept is visible again when Each returns. It returns how many were replayed.
//
// A letter is deleted only after the work queue has its replacement. If the
// tool dies between the two there are both, which the ledger recognises.
func (q *DeadLetters) Each(ctx context.Context, choose func(Letter) Action) (replayed int, err error) {
	seen := map[string]bool{}
	sent := map[string]bool{} // deliveries: what fails again at once is not for this run
	kept := map[string]string{} // message id to its newest receipt
	defer func() {
		// Also after an interrupt, so that the next look finds them.
		err = errors.Join(err, q.putBack(context.WithoutCancel(ctx), kept))
	}()
	for {
		letters, err := q.receive(ctx)
		if err != nil {
			return replayed, err
		}
		if len(letters) == 0 {
			left, err := q.visible(ctx)
			if err != nil || left == 0 {
				return replayed, err
			}
			continue
		}
		for _, l := range letters {
			kept[l.MessageID] = l.receipt
		}
		for _, l := range letters {
			again := seen[l.MessageID]
			seen[l.MessageID] = true
			if again || sent[l.DeliveryID] || choose(l) == Keep {
				continue
			}
			if err := q.replay(ctx, l); err != nil {
				return replayed, err
			}
			delete(kept, l.MessageID)
			sent[l.DeliveryID] = l.DeliveryID != ""
			replayed++
		}
	}
}

func (q *DeadLetters) receive(ctx context.Context) ([]Letter, error) {
	out, err := q.API.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    aws.String(q.URL),
		MaxNumberOfMessages:         10,
		WaitTimeSeconds:             pollSeconds,
		VisibilityTimeout:           int32(hold / time.Second),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	letters := make([]Letter, len(out.Messages))
	for i, m := range out.Messages {
		sent, _ := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
		letters[i] = Letter{
			DeadLetter: ParseDeadLetter(m.MessageAttributes),
			MessageID:  aws.ToString(m.MessageId),
			SentAt:     time.UnixMilli(sent).UTC(),
			Body:       aws.ToString(m.Body),
			receipt:    aws.ToString(m.ReceiptHandle),
		}
	}
	return letters, nil
}

func (q *DeadLetters) visible(ctx context.Context) (int, error) {
	name := types.QueueAttributeNameApproximateNumberOfMessages
	out, err := q.API.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(q.URL), AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	n, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// replay sends a letter to the work queue again. Its generation goes with it,
// so that the worker can tell this copy from an older one.
func (q *DeadLetters) replay(ctx context.Context, l Letter) error {
	attrs := DeliveryAttributes(l.DeliveryID, l.Event)
	number(attrs, attrGeneration, l.Generation)
	_, err := q.API.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(q.WorkURL), MessageBody: aws.String(l.Body), MessageAttributes: attrs,
	})
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", l.MessageID, err)
	}
	// From here the letter must go, even if the user has pressed Ctrl-C.
	_, err = q.API.DeleteMessage(context.WithoutCancel(ctx), &sqs.DeleteMessageInput{
		QueueUrl: aws.String(q.URL), ReceiptHandle: aws.String(l.receipt),
	})
	if err != nil {
		return fmt.Errorf("remove dead letter %s, which was replayed: %w", l.MessageID, err)
	}
	return nil
}

func (q *DeadLetters) putBack(ctx context.Context, receipts map[string]string) error {
	var errs []error
	for id, receipt := range receipts {
		_, err := q.API.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: aws.String(q.URL), ReceiptHandle: aws.String(receipt), VisibilityTimeout: 0,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("put dead letter %s back: %w", id, err))
		}
	}
	return errors.Join(errs...)
}
