package embedded

import (
	"context"
	"fmt"
	"time"

	"fairbridge/pkg/sqlitedb"
)

// HandBack records that nobody in this process works on the messages with these receipt
// handles any more. They stay hidden for their current timeout, but [SQS.ReleaseInFlight]
// skips them, so that a restart does not shorten a delay of minutes or hours. Messages that
// are gone are skipped.
func (s *SQS) HandBack(ctx context.Context, queueURL string, receiptHandles ...string) error {
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return fmt.Errorf("hand back messages: %w", err)
	}
	_, err = s.each(ctx, len(receiptHandles), func(tx *sqlitedb.Tx, i int) error {
		r, err := parseReceipt(&receiptHandles[i])
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE messages SET held = 0 WHERE seq = ? AND queue = ? AND receipt = ?", r.seq, q.id, r.nonce)
		return err
	})
	if err != nil {
		return fmt.Errorf("hand back messages: %w", err)
	}
	return nil
}

// ReleaseInFlight makes visible at once what was received and neither deleted nor handed
// back, and returns how many messages that were. It is for the start of the one process
// that runs the bridge: whatever is in flight then was held by a process that has died. Its
// receipt handles become invalid.
func (s *SQS) ReleaseInFlight(ctx context.Context, queueURL string) (released int64, err error) {
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return 0, fmt.Errorf("release messages in flight: %w", err)
	}
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		result, err := tx.Exec("UPDATE messages SET visible_at = ?1, wait_ms = 0, receipt = NULL, held = 0 WHERE queue = ?2 AND visible_at > ?1 AND held = 1",
			s.now().UnixMilli(), q.id)
		if err != nil {
			return err
		}
		released, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("release messages in flight: %w", err)
	}
	s.notifier.notify(q.id)
	return released, nil
}

// Settled waits until the queue has no message, visible, in flight or delayed: each was
// deleted or has moved to the dead-letter queue.
func (s *SQS) Settled(ctx context.Context, queueURL string) error {
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return fmt.Errorf("wait until settled: %w", err)
	}
	for {
		notification := s.notifier.next(q.id)
		var left int
		err := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM messages WHERE queue = ? LIMIT 1)", q.id).Scan(&left)
		if err != nil {
			return fmt.Errorf("wait until settled: %w", err)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-notification:
		case <-time.After(lookInterval):
		case <-ctx.Done():
			return fmt.Errorf("wait until settled: %w", ctx.Err())
		}
	}
}
