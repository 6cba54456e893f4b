package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/sqlitedb"
)

const (
	// keptRefusals is how many refusals of strangers are kept, and how many others, so that
	// somebody who tries paths does not displace what may be TestFairy's.
	keptRefusals = ingest.RefusedKept
	// refusalRetry is the pause after a failed write.
	refusalRetry = time.Second
	// lastRefusals is the time for the last write when the bridge ends.
	lastRefusals = 2 * time.Second
)

// Refusals records refused webhooks: the last ones, and how many there were for each
// reason.
//
// Anybody can be refused, so there is not one write for each: only one write runs at a
// time, with everything that came during the previous one. Those that could not be written,
// because the disk is full, are written with the next accepted webhook, or a second later.
// A crash loses what is not written; the log has it.
type Refusals struct {
	db   *sqlitedb.DB
	now  func() time.Time
	wake chan struct{} // buffered: there is something to write

	mu      sync.Mutex
	pending pending
}

// pending is what is not written yet.
type pending map[refusalKind]unwritten

type refusalKind struct {
	status int
	reason ingest.Reason
}

// unwritten counts the refusals of a kind, and has the last of them, at most keptRefusals.
type unwritten struct {
	count int
	last  []ingest.Refusal
}

// add adds later refusals of a kind.
func (p pending) add(kind refusalKind, more unwritten) {
	last := append(p[kind].last, more.last...)
	p[kind] = unwritten{p[kind].count + more.count, last[max(0, len(last)-keptRefusals):]}
}

func newRefusals(db *sqlitedb.DB, now func() time.Time) *Refusals {
	return &Refusals{db: db, now: now, wake: make(chan struct{}, 1), pending: pending{}}
}

// Add records a refusal. It does not block; [Refusals.Run] writes it.
func (r *Refusals) Add(refusal ingest.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending.add(refusalKind{refusal.Status, refusal.Reason}, unwritten{1, []ingest.Refusal{refusal}})
	r.notify()
}

// again retries what could not be written.
func (r *Refusals) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) > 0 {
		r.notify()
	}
}

func (r *Refusals) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Reporting returns a reporter that records the refusals among the outcomes, and passes all
// outcomes on.
func (r *Refusals) Reporting(next ingest.Reporter) ingest.Reporter { return reporting{r, next} }

type reporting struct {
	refusals *Refusals
	next     ingest.Reporter
}

// Report implements [ingest.Reporter].
func (r reporting) Report(ctx context.Context, o ingest.Outcome) {
	if refusal, ok := o.Refusal(r.refusals.now()); ok {
		r.refusals.Add(refusal)
	} else if o.Result == ingest.Accepted {
		r.refusals.again() // the webhook was written, so the disk has room
	}
	r.next.Report(ctx, o)
}

// Run writes what is added until ctx ends, and then the rest. log receives failed writes,
// once in a row.
func (r *Refusals) Run(ctx context.Context, log *slog.Logger) error {
	failed := false
	for {
		var again <-chan time.Time
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			if !failed {
				log.Warn("refused webhooks could not be recorded", "err", err)
			}
			failed, again = true, time.After(refusalRetry)
		} else {
			failed = false
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRefusals)
			defer cancel()
			_ = r.write(last) // nothing depends on it
			return nil
		case <-r.wake:
		case <-again:
		}
	}
}

// write writes what was added, and puts it back if that fails.
func (r *Refusals) write(ctx context.Context) error {
	r.mu.Lock()
	taken := r.pending
	r.pending = pending{}
	r.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	var last []ingest.Refusal
	for _, of := range taken {
		last = append(last, of.last...)
	}
	slices.SortStableFunc(last, byTime)
	err := r.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		for _, refusal := range last {
			if err := insertRefusal(tx, refusal); err != nil {
				return err
			}
		}
		for kind, of := range taken {
			if _, err := tx.Exec(`INSERT INTO refusal_counts (status, reason, count, last_at) VALUES (?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)`,
				kind.status, string(kind.reason), of.count, slices.MaxFunc(of.last, byTime).At.UnixMilli()); err != nil {
				return err
			}
		}
		for _, strange := range []bool{false, true} {
			if _, err := tx.Exec(`DELETE FROM refusals WHERE strange = ?1 AND seq NOT IN
				(SELECT seq FROM refusals WHERE strange = ?1 ORDER BY seq DESC LIMIT ?2)`, strange, keptRefusals); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for kind, since := range r.pending {
		taken.add(kind, since)
	}
	r.pending = taken
	return fmt.Errorf("write refused webhooks: %w", err)
}

func byTime(a, b ingest.Refusal) int { return a.At.Compare(b.At) }

func insertRefusal(tx *sqlitedb.Tx, r ingest.Refusal) error {
	fields := ""
	if len(r.Fields) > 0 {
		names, err := json.Marshal(r.Fields)
		if err != nil {
			return err
		}
		fields = string(names)
	}
	_, err := tx.Exec("INSERT INTO refusals (at, status, reason, strange, bytes, fields) VALUES (?, ?, ?, ?, ?, ?)",
		r.At.UnixMilli(), r.Status, string(r.Reason), r.Reason.Strange(), r.Bytes, fields)
	return err
}

// Refused returns the last hundred refusals that were written, the latest first, and the
// counts of all. Strangers' are included only as far as the others leave room.
func (r *Refusals) Refused(ctx context.Context) (all ingest.Refused, err error) {
	defer doing("read refused webhooks", &err)
	rows := sqlitedb.Rows(r.db.Read().QueryContext(ctx, "SELECT at, status, reason, bytes, fields FROM refusals ORDER BY strange, seq DESC LIMIT ?", keptRefusals))
	for row, err := range rows {
		if err != nil {
			return all, err
		}
		var refusal ingest.Refusal
		var at int64
		var fields string
		if err := row.Scan(&at, &refusal.Status, &refusal.Reason, &refusal.Bytes, &fields); err != nil {
			return all, err
		}
		refusal.At = time.UnixMilli(at).UTC()
		if fields != "" {
			if err := json.Unmarshal([]byte(fields), &refusal.Fields); err != nil {
				return all, fmt.Errorf("names of fields: %w", err)
			}
		}
		all.Last = append(all.Last, refusal)
	}
	slices.SortStableFunc(all.Last, func(a, b ingest.Refusal) int { return byTime(b, a) })
	all.Counts, err = r.readCounts(ctx)
	return all, err
}

func (r *Refusals) readCounts(ctx context.Context) (counts []ingest.RefusalCount, err error) {
	rows := sqlitedb.Rows(r.db.Read().QueryContext(ctx, "SELECT status, reason, count, last_at FROM refusal_counts ORDER BY status, reason"))
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		var c ingest.RefusalCount
		var at int64
		if err := row.Scan(&c.Status, &c.Reason, &c.Count, &at); err != nil {
			return nil, err
		}
		c.Last = time.UnixMilli(at).UTC()
		counts = append(counts, c)
	}
	return counts, nil
}

// Ready returns why the home cannot accept a webhook at the moment. It tries a write.
func (h *Home) Ready(ctx context.Context) error {
	return h.DB.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO readiness (id, at) VALUES (1, ?)", time.Now().UnixMilli())
		return err
	})
}
