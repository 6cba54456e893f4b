package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"fairbridge/pkg/sqlitedb"
)

// wakesAtATime bounds how many messages one transaction wakes, so that other writes get
// their turn.
const wakesAtATime = 500

// Wake makes messages visible that were received only to be held, spread over a time from
// now. That receive is not counted: a delivery that is woken for each probe during an
// outage would otherwise reach maxReceiveCount within a day. Messages that are gone, or
// were received again since, are skipped.
func (s *SQS) Wake(ctx context.Context, queueURL string, spread time.Duration, receiptHandles ...string) error {
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return fmt.Errorf("wake messages: %w", err)
	}
	for len(receiptHandles) > 0 {
		some := receiptHandles[:min(len(receiptHandles), wakesAtATime)]
		receiptHandles = receiptHandles[len(some):]
		_, err := s.each(ctx, len(some), func(tx *sqlitedb.Tx, i int) error {
			r, err := parseReceipt(&some[i])
			if err != nil {
				return err
			}
			in := rand.N(spread + 1).Milliseconds()
			_, err = tx.Exec("UPDATE messages SET visible_at = ?1, wait_ms = ?2, receives = max(receives - 1, 0) WHERE seq = ?3 AND queue = ?4 AND receipt = ?5 AND visible_at > ?1",
				s.now().UnixMilli()+in, in, r.seq, q.id, r.nonce)
			return err
		})
		if err != nil {
			return fmt.Errorf("wake messages: %w", err)
		}
	}
	s.notifier.notify(q.id)
	return nil
}

// WakeAll is Wake for every waiting message that nobody works on.
func (s *SQS) WakeAll(ctx context.Context, queueURL string, spread time.Duration) error {
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return fmt.Errorf("wake all messages: %w", err)
	}
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec(`UPDATE messages SET wait_ms = ?1, visible_at = ?2 + abs(random()) % ?1
			WHERE queue = ?3 AND held = 0 AND visible_at > ?2 + ?1`, spread.Milliseconds()+1, s.now().UnixMilli(), q.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("wake all messages: %w", err)
	}
	s.notifier.notify(q.id)
	return nil
}
