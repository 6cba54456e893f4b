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
// the one with the id except: that one has just been written.
func (p *pruner) run(tx *sqlitedb.Tx, now time.Time, except string) error {
	result, err := tx.Exec(`DELETE FROM ledger WHERE rowid IN (
		SELECT rowid FROM ledger WHERE expires_at < ? AND id <> ? ORDER BY expires_at LIMIT ?)`,
		now.Unix(), except, pruneAtMost)
	if err != nil {
		return fmt.Errorf("remove expired records: %w", err)
	}
	removed, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("remove expired records: %w", err)
	}
	if removed < pruneAtMost {
		p.next.Store(now.Add(pruneEvery).UnixNano())
	}
	return nil
}
