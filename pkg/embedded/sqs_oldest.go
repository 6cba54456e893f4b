package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Oldest returns when the oldest message of a queue was first sent; the zero time if there
// is none. Amazon's SQS has no call for this, but the CloudWatch metric
// ApproximateAgeOfOldestMessage.
func (s *SQS) Oldest(ctx context.Context, queueURL string) (time.Time, error) {
	q, err := s.queue(ctx, aws.String(queueURL))
	var sent sql.NullInt64
	if err == nil {
		// Messages past their retention period do not count.
		err = s.db.Read().QueryRowContext(ctx, "SELECT min(sent_at) FROM messages WHERE queue = ? AND sent_at > ?",
			q.id, q.cutoff(s.now())).Scan(&sent)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("find the oldest message of %s: %w", queueURL, err)
	}
	if !sent.Valid {
		return time.Time{}, nil
	}
	return time.UnixMilli(sent.Int64).UTC(), nil
}

// Deliveries returns the ids of the deliveries that have a message in a queue, with when
// the last of each was sent. Nothing is received.
func (s *SQS) Deliveries(ctx context.Context, queueURL string) (found map[string]time.Time, err error) {
	defer func() {
		if err != nil {
			found, err = nil, fmt.Errorf("list the deliveries in %s: %w", queueURL, err)
		}
	}()
	q, err := s.queue(ctx, aws.String(queueURL))
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().QueryContext(ctx, "SELECT delivery, max(sent_at) FROM messages WHERE queue = ? GROUP BY delivery", q.id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found = map[string]time.Time{}
	for rows.Next() {
		var delivery string
		var sent int64
		if err := rows.Scan(&delivery, &sent); err != nil {
			return nil, err
		}
		found[delivery] = time.UnixMilli(sent).UTC()
	}
	return found, rows.Err()
}
