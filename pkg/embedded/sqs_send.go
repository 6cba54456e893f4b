package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"

	"fairbridge/pkg/sqlitedb"
)

// outgoing is a message to be stored.
type outgoing struct {
	content
	id    string
	delay time.Duration
	text  string // its attributes, encoded
}

func newOutgoing(body *string, attributes map[string]types.MessageAttributeValue, delaySeconds int32) (outgoing, error) {
	m := outgoing{
		content: content{body: aws.ToString(body), attributes: attributes},
		id:      uuid.NewString(),
		delay:   time.Duration(delaySeconds) * time.Second,
	}
	if delaySeconds < 0 || delaySeconds > maxDelaySeconds {
		return m, invalidParameter(fmt.Sprintf("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= %d.", delaySeconds, maxDelaySeconds))
	}
	if err := m.check(); err != nil {
		return m, err
	}
	var err error
	m.text, err = m.encodeAttributes()
	return m, err
}

// SendMessage returns after the message is on disk.
func (s *SQS) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (_ *sqs.SendMessageOutput, err error) {
	defer operation("SQS", "SendMessage", &err)
	q, err := s.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := newOutgoing(in.MessageBody, in.MessageAttributes, in.DelaySeconds)
	if err != nil {
		return nil, err
	}
	if m.size() > maxMessageBytes {
		return nil, invalidParameter(fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessageBytes))
	}
	if err := s.store(ctx, q, []outgoing{m}); err != nil {
		return nil, err
	}
	return &sqs.SendMessageOutput{
		MessageId:              aws.String(m.id),
		MD5OfMessageBody:       md5Hex(m.body),
		MD5OfMessageAttributes: attributesMD5(m.attributes),
	}, nil
}

// SendMessageBatch returns after the messages that it reports as successful are on disk.
func (s *SQS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (_ *sqs.SendMessageBatchOutput, err error) {
	defer operation("SQS", "SendMessageBatch", &err)
	q, err := s.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries, func(e types.SendMessageBatchRequestEntry) *string { return e.Id }); err != nil {
		return nil, err
	}
	out := &sqs.SendMessageBatchOutput{}
	var good []outgoing
	size := 0
	for _, e := range in.Entries {
		m, err := newOutgoing(e.MessageBody, e.MessageAttributes, e.DelaySeconds)
		size += m.size()
		if err != nil {
			out.Failed = append(out.Failed, failedEntry(e.Id, err))
			continue
		}
		good = append(good, m)
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{
			Id:                     e.Id,
			MessageId:              aws.String(m.id),
			MD5OfMessageBody:       md5Hex(m.body),
			MD5OfMessageAttributes: attributesMD5(m.attributes),
		})
	}
	if size > maxMessageBytes {
		return nil, &types.BatchRequestTooLong{Message: aws.String(fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessageBytes, size))}
	}
	if len(good) > 0 {
		if err := s.store(ctx, q, good); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// store writes the messages, all or none.
func (s *SQS) store(ctx context.Context, q queue, messages []outgoing) error {
	if err := s.keepWaits(ctx); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		now := s.now()
		// The time of a message never goes back.
		if _, err := tx.Exec("UPDATE sent SET at = ?1 WHERE at < ?1", now.UnixMilli()); err != nil {
			return err
		}
		for _, m := range messages {
			_, err := tx.Exec("INSERT INTO messages (queue, id, sent_at, visible_at, wait_ms, delivery) VALUES (?, ?, (SELECT at FROM sent), ?, ?, ?)",
				q.id, m.id, now.Add(m.delay).UnixMilli(), m.delay.Milliseconds(), m.delivery())
			if err != nil {
				return err
			}
			_, err = tx.Exec("INSERT INTO contents (seq, body, attributes) VALUES (last_insert_rowid(), ?, ?)", m.body, m.text)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.notifier.notify(q.id)
	return nil
}

// checkBatch applies the rules that all batch calls share.
func checkBatch[E any](entries []E, id func(E) *string) error {
	if len(entries) == 0 {
		return &types.EmptyBatchRequest{Message: aws.String("There should be at least one entry in the request.")}
	}
	if len(entries) > maxBatchEntries {
		return &types.TooManyEntriesInBatchRequest{Message: aws.String(fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxBatchEntries, len(entries)))}
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := aws.ToString(id(e))
		if !validName(id) {
			return &types.InvalidBatchEntryId{Message: aws.String("A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")}
		}
		if seen[id] {
			return &types.BatchEntryIdsNotDistinct{Message: aws.String(fmt.Sprintf("Id %s repeated.", id))}
		}
		seen[id] = true
	}
	return nil
}

func failedEntry(id *string, err error) types.BatchResultErrorEntry {
	e := types.BatchResultErrorEntry{Id: id, Code: aws.String("InternalFailure"), Message: aws.String(err.Error())}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message, e.SenderFault = aws.String(api.ErrorCode()), aws.String(api.ErrorMessage()), true
	}
	return e
}
