package sqlite

import (
	"fmt"
	"sync/atomic"
	"time"

	"fairbridge/pkg/sqlitedb"
)

const (
	// pruneEvery is the pause between two prunings. Records live for weeks, so
	// an hour more does not matter.
	pruneEvery = time.Hour
	// pruneAtMost is how many records one pruning removes: a few milliseconds,
	// for which the writes that share the transaction wait.
	pruneAtMost = 500
)

// pruner removes expired records now and then.
type pruner struct {
	next atomic.Int64 // when it is due, in nanoseconds since 1970
}

// runIfDue prunes if it is time to.
func (p *pruner) runIfDue(tx *sqlitedb.Tx, now time.Time, except string) error {
	if now.UnixNano() < p.next.Load() {
		return nil
	}
	return p.run(tx, now, except)
}

// run removes the records that expired before now, the oldest first, but not
// the one with the id except: that one has just been written. The parts of a
// letter go when their delivery is completed or forgotten.
func (p *pruner) run(tx *sqlitedb.Tx, now time.Time, except string) error {
	removed := int64(0)
	for _, which := range []string{
		// The states are those that ledger.Ended means.
		`expires_at < ?1 AND id <> ?2 AND state IN ('completed', 'dropped')
			AND NOT EXISTS (SELECT 1 FROM messages WHERE delivery = ledger.id AND delivery <> '')`,
		`expires_at < ?1 AND id <> ?2 AND id LIKE '#letter/%' AND NOT EXISTS
			(SELECT 1 FROM ledger AS l WHERE l.id = substr(ledger.id, 9, 64) AND l.state <> 'completed')`,
	} {
		result, err := tx.Exec(`DELETE FROM ledger WHERE rowid IN (
			SELECT rowid FROM ledger WHERE `+which+` ORDER BY expires_at LIMIT ?3)`, now.Unix(), except, pruneAtMost)
		if err != nil {
			return fmt.Errorf("remove expired records: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("remove expired records: %w", err)
		}
		removed = max(removed, n)
	}
	if removed < pruneAtMost {
		p.next.Store(now.Add(pruneEvery).UnixNano())
	}
	return nil
}
