package embedded

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"fairbridge/pkg/sqlitedb"
)

// wakesAtATime bounds how many messages one transaction wakes, so that other writes get
// their turn.
const wakesAtATime = 500

// HandBack records that nobody in this process works on the messages with these receipt
// handles any more. They stay hidden for their current timeout: [SQS.ReleaseInFlight] skips
// them, and [SQS.WakeAll] does not. Messages that are gone are skipped.
func (s *SQS) HandBack(ctx context.Context, queueURL string, receiptHandles ...string) (err error) {
	defer doing("hand back messages", &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return err
	}
	_, err = s.each(ctx, len(receiptHandles), func(tx *sqlitedb.Tx, i int) error {
		r, err := parseReceipt(&receiptHandles[i])
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE messages SET held = 0 WHERE seq = ? AND queue = ? AND receipt = ?", r.seq, q.id, r.nonce)
		return err
	})
	return err
}

// ReleaseInFlight makes visible at once what was received and neither deleted nor handed
// back, and returns how many messages that were. It is for the start of the one process
// that runs the bridge: whatever is in flight then was held by a process that has died. Its
// receipt handles become invalid.
func (s *SQS) ReleaseInFlight(ctx context.Context, queueURL string) (released int64, err error) {
	defer doing("release messages in flight", &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return 0, err
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
	s.notifier.notify(q.id)
	return released, err
}

// Wake makes messages visible that were received only to be held, spread over a time from
// now. That receive is not counted: a delivery that is woken for each probe during an
// outage would otherwise reach maxReceiveCount within a day. Messages that are gone, or
// were received again since, are skipped.
func (s *SQS) Wake(ctx context.Context, queueURL string, spread time.Duration, receiptHandles ...string) (err error) {
	defer doing("wake messages", &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(receiptHandles, wakesAtATime) {
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
			return err
		}
	}
	s.notifier.notify(q.id)
	return nil
}

// WakeAll is Wake for every waiting message that is not being processed.
func (s *SQS) WakeAll(ctx context.Context, queueURL string, spread time.Duration) (err error) {
	defer doing("wake all messages", &err)
	q, err := s.queue(ctx, &queueURL)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec(`UPDATE messages SET wait_ms = ?1, visible_at = ?2 + abs(random()) % ?1, receives = max(receives - 1, 0)
			WHERE queue = ?3 AND held = 0 AND visible_at > ?2 + ?1`, spread.Milliseconds()+1, s.now().UnixMilli(), q.id)
		return err
	})
	s.notifier.notify(q.id)
	return err
}
