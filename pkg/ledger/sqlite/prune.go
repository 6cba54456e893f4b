package sqlite

import (
	"fmt"
	"sync/atomic"
	"time"

	"fairbridge/pkg/sqlitedb"
)

const (
	// pruneEvery is the pause between two prunings. Records are kept for weeks, so an hour
	// more does not matter.
	pruneEvery = time.Hour
	// pruneAtMost is how many records one pruning removes. It takes a few milliseconds, for
	// which the writes in the same transaction wait.
	pruneAtMost = 500
	// expiryStep is the most by which the expiry clock advances at a time. A clock that is
	// set years ahead, or corrected after being years behind, thus brings a record one day
	// closer to its expiry, not to the expiry itself. A machine that is off for a long time
	// keeps its records for longer.
	expiryStep = 24 * time.Hour
	// expiryEvery is how often the expiry clock is saved.
	expiryEvery = time.Hour
)

// ahead is how far the wall clock is ahead of the expiry clock.
const ahead = `(SELECT ahead FROM expiry)`

// keepExpiry advances the expiry clock. Every write that sets an expiry must call it first.
func keepExpiry(tx *sqlitedb.Tx, now time.Time) error {
	var at, by int64
	if err := tx.QueryRow(`SELECT at, ahead FROM expiry`).Scan(&at, &by); err != nil {
		return fmt.Errorf("look at the clock of the expiry: %w", err)
	}
	next := now.Unix() - by
	if at != 0 {
		next = min(max(next, at), at+int64(expiryStep/time.Second))
		if now.Unix()-next == by && next < at+int64(expiryEvery/time.Second) {
			return nil
		}
	}
	if _, err := tx.Exec(`UPDATE expiry SET at = ?1, ahead = ?2 - ?1`, next, now.Unix()); err != nil {
		return fmt.Errorf("set the clock of the expiry: %w", err)
	}
	return nil
}

// pruner removes expired records from time to time.
type pruner struct {
	last atomic.Int64 // when nothing was left to remove, in nanoseconds since 1970
}

// runIfDue prunes if it is time to, or if the clock has been set back.
func (p *pruner) runIfDue(tx *sqlitedb.Tx, now time.Time, except string) error {
	if since := now.UnixNano() - p.last.Load(); since >= 0 && since < int64(pruneEvery) {
		return nil
	}
	return p.run(tx, now, except)
}

// run removes expired records, the oldest first, except the one that has just been written.
// The parts of a letter are removed when their delivery is completed or forgotten.
func (p *pruner) run(tx *sqlitedb.Tx, now time.Time, except string) error {
	removed := int64(0)
	for _, which := range []string{
		// These states are those of ledger.Ended, and that of what reconcile has written down.
		`expires_at < ?1 - ` + ahead + ` AND id <> ?2 AND state IN ('completed', 'dropped', 'reconciled')
			AND NOT EXISTS (SELECT 1 FROM messages WHERE delivery = ledger.id AND delivery <> '')`,
		`expires_at < ?1 - ` + ahead + ` AND id <> ?2 AND id LIKE '#letter/%' AND NOT EXISTS
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
		p.last.Store(now.UnixNano())
	}
	return nil
}
