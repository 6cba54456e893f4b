package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	// deleteAttempts, with delays from 10 ms that double, take about 1.3 s. A message that
	// still cannot be deleted comes again, and the ledger recognises it.
	deleteAttempts   = 8
	firstDeletePause = 10 * time.Millisecond
)

// event returns received messages as Lambda's event.
func (r *run) event(messages []types.Message) events.SQSEvent {
	arn := Queue{Name: path.Base(r.QueueURL)}.arn()
	event := events.SQSEvent{Records: make([]events.SQSMessage, len(messages))}
	for i, m := range messages {
		attributes := make(map[string]events.SQSMessageAttribute, len(m.MessageAttributes))
		for name, a := range m.MessageAttributes {
			attributes[name] = events.SQSMessageAttribute{
				StringValue: a.StringValue, BinaryValue: a.BinaryValue, DataType: aws.ToString(a.DataType),
				StringListValues: []string{}, BinaryListValues: [][]byte{},
			}
		}
		event.Records[i] = events.SQSMessage{
			MessageId:              aws.ToString(m.MessageId),
			ReceiptHandle:          aws.ToString(m.ReceiptHandle),
			Body:                   aws.ToString(m.Body),
			Md5OfBody:              aws.ToString(m.MD5OfBody),
			Md5OfMessageAttributes: aws.ToString(m.MD5OfMessageAttributes),
			Attributes:             m.Attributes,
			MessageAttributes:      attributes,
			EventSource:            "aws:sqs",
			EventSourceARN:         arn,
			AWSRegion:              Region,
		}
	}
	return event
}

// failures returns the ids of the messages that the response reports as failed. No list, or
// an empty one, means that all succeeded. With an empty id, or one that is not in the
// batch, all have failed. See
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func failures(event events.SQSEvent, response events.SQSEventResponse) (map[string]bool, error) {
	inBatch := make(map[string]bool, len(event.Records))
	for _, m := range event.Records {
		inBatch[m.MessageId] = true
	}
	failed := make(map[string]bool, len(response.BatchItemFailures))
	for _, f := range response.BatchItemFailures {
		if !inBatch[f.ItemIdentifier] {
			return nil, fmt.Errorf("the response names %q as failed, which is not a message of the batch", f.ItemIdentifier)
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// delete deletes the messages, and retries those that the queue did not confirm.
func (r *run) delete(ctx context.Context, messages []types.Message) {
	pause := firstDeletePause
	var err error
	for attempt := 0; len(messages) > 0; attempt++ {
		if attempt == deleteAttempts {
			r.Log.Error("messages could not be deleted; they will be delivered again",
				"function", r.Function, "messages", len(messages), "err", err)
			return
		}
		if attempt > 0 {
			time.Sleep(pause/2 + rand.N(pause/2))
			pause *= 2
		}
		messages, err = r.deleteOnce(ctx, messages)
	}
}

// deleteOnce returns the messages whose deletion is not confirmed.
func (r *run) deleteOnce(ctx context.Context, messages []types.Message) (left []types.Message, err error) {
	entries := make([]types.DeleteMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle}
	}
	out, err := r.SQS.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &r.QueueURL, Entries: entries})
	if err != nil {
		return messages, err
	}
	confirmed := make(map[string]bool, len(out.Successful))
	for _, d := range out.Successful {
		confirmed[aws.ToString(d.Id)] = true
	}
	for i, m := range messages {
		if !confirmed[strconv.Itoa(i)] {
			left = append(left, m)
		}
	}
	for _, f := range out.Failed {
		err = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
	}
	return left, err
}

func (r *run) handBack(ctx context.Context, messages []types.Message) {
	if len(messages) == 0 {
		return
	}
	handles := make([]string, len(messages))
	for i, m := range messages {
		handles[i] = aws.ToString(m.ReceiptHandle)
	}
	if err := r.SQS.HandBack(ctx, r.QueueURL, handles...); err != nil {
		// This does no harm: after a restart they come a little early.
		r.Log.Warn("messages could not be handed back", "function", r.Function, "messages", len(messages), "err", err)
	}
}
