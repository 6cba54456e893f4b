package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Peek calls visit for the messages of a queue, the oldest first, until it returns false.
// The messages are not received: visible ones stay visible, and their receive counts do not
// change. Messages in flight are included. Amazon's SQS has no such call: there, reading a
// message hides it from others.
//
// A message is as ReceiveMessage returns it, with all of its attributes but without a
// receipt handle. visit must be quick, see [db.DB.Read].
func (s *SQS) Peek(ctx context.Context, queueURL string, visit func(types.Message) bool) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look at the messages of %s: %w", queueURL, err)
		}
	}()
	q, err := s.queue(ctx, aws.String(queueURL))
	if err != nil {
		return err
	}
	// Messages past their retention period do not count.
	rows, err := s.db.Read().QueryContext(ctx, selectRows+"WHERE m.queue = ? AND m.sent_at > ? ORDER BY m.sent_at, m.seq",
		q.id, q.cutoff(s.now()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		m, err := scanRow(rows)
		if err != nil {
			return err
		}
		attributes, err := decodeAttributes(m.attributes, []string{"All"})
		if err != nil {
			return err
		}
		if !visit(types.Message{
			MessageId:         aws.String(m.id),
			Body:              aws.String(m.body),
			Attributes:        systemAttributes(m, []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}),
			MessageAttributes: attributes,
		}) {
			return nil
		}
	}
	return rows.Err()
}
