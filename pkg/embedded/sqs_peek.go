package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Peek shows the messages of a queue to visit, the longest sent first, until it
// returns false. They are not received: what is visible stays so and its
// receives are not counted. Those in flight are shown as well. Amazon's SQS has
// no call for it: there, who looks at a message hides it from others.
//
// A message comes as ReceiveMessage gives it, with all of its attributes but
// without a receipt handle. visit must be quick, see [db.DB.Read].
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
	// What is past its retention does not count.
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
