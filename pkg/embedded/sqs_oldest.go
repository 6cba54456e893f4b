package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Oldest returns when the oldest message of a queue was first sent; the zero
// time if there is none. Amazon's SQS has no call for it: there it is
// CloudWatch's metric ApproximateAgeOfOldestMessage.
func (s *SQS) Oldest(ctx context.Context, queueURL string) (time.Time, error) {
	q, err := s.queue(ctx, aws.String(queueURL))
	var sent sql.NullInt64
	if err == nil {
		// What is past its retention does not count.
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
