package embedded

import (
	"context"
	"database/sql"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/sqlitedb"
)

// Oldest returns when the oldest message of a queue was first sent; the zero time if there
// is none. Amazon's SQS has no call for this, but the CloudWatch metric
// ApproximateAgeOfOldestMessage.
func (s *SQS) Oldest(ctx context.Context, queueURL string) (_ time.Time, err error) {
	defer doing("find the oldest message of "+queueURL, &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return time.Time{}, err
	}
	var sent sql.NullInt64
	err = s.db.Read().QueryRowContext(ctx, "SELECT min(sent_at) FROM messages WHERE queue = ?", q.id).Scan(&sent)
	if err != nil || !sent.Valid {
		return time.Time{}, err
	}
	return time.UnixMilli(sent.Int64).UTC(), nil
}

// Deliveries returns the ids of the deliveries that have a message in a queue, with when
// the last of each was sent. Nothing is received.
func (s *SQS) Deliveries(ctx context.Context, queueURL string) (found map[string]time.Time, err error) {
	defer doing("list the deliveries in "+queueURL, &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return nil, err
	}
	found = map[string]time.Time{}
	rows := sqlitedb.Rows(s.db.Read().QueryContext(ctx, "SELECT delivery, max(sent_at) FROM messages WHERE queue = ? GROUP BY delivery", q.id))
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		var delivery string
		var sent int64
		if err := row.Scan(&delivery, &sent); err != nil {
			return nil, err
		}
		found[delivery] = time.UnixMilli(sent).UTC()
	}
	return found, nil
}

// Peek calls visit for the messages of a queue, the oldest first, until it returns false.
// The messages are not received: visible ones stay visible, and their receive counts do not
// change. Messages in flight are included. Amazon's SQS has no such call: there, reading a
// message hides it from others.
//
// A message is as ReceiveMessage returns it, with all of its attributes but without a
// receipt handle. visit must be quick, see [sqlitedb.DB.Read].
func (s *SQS) Peek(ctx context.Context, queueURL string, visit func(types.Message) bool) (err error) {
	defer doing("look at the messages of "+queueURL, &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return err
	}
	for m, err := range messageRows(s.db.Read().QueryContext(ctx, selectRows+"WHERE m.queue = ? ORDER BY m.sent_at, m.seq", q.id)) {
		if err != nil {
			return err
		}
		message, err := m.message([]string{"All"}, []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll})
		if err != nil {
			return err
		}
		if !visit(message) {
			return nil
		}
	}
	return nil
}
