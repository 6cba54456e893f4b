// Package ledger remembers how far each delivery got, so that a retry, a second
// copy of a message or a restart after a crash goes on where the work stopped.
//
// The state machine is here; the stores under it (pkg/ledger/dynamo,
// pkg/ledger/sqlite) know only conditional writes. The idempotency libraries
// for Lambda run an unfinished record again once its lease has ended; here the
// state creating keeps that from making a second ticket.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// DefaultLease is how long a delivery stays with a worker that is not heard
	// of any more: a crash is picked up again after about that time.
	DefaultLease = 2 * time.Minute
	// DefaultRetain is how long an entry outlives its last change: longer than
	// the 14 days that a dead letter can live, and a replay after them.
	DefaultRetain = 35 * 24 * time.Hour

	// puts is how often a write is tried whose outcome is not known. Trying
	// again is safe: the same record is recognised in the conflict.
	puts = 3
	// races is how often a claim is begun anew because others were faster.
	races = 10
)

// Ledger is the state machine over a [Store].
type Ledger struct {
	store  Store
	now    func() time.Time
	lease  time.Duration
	retain time.Duration
	// instance begins the names of this ledger's owners.
	instance string
	// alone: every other owner is dead.
	alone bool
}

// New returns a ledger over store that reads the time from now and holds claims
// for lease.
func New(store Store, now func() time.Time, lease time.Duration) *Ledger {
	return &Ledger{store: store, now: now, lease: lease, retain: DefaultRetain, instance: rand.Text()}
}

// Alone says that nobody else works on this ledger, as the lock of the embedded
// home ensures: a lease that an earlier process left does not have to run out.
// It returns l.
func (l *Ledger) Alone() *Ledger {
	l.alone = true
	return l
}

// Lease is how long a claim lasts if it is not renewed.
func (l *Ledger) Lease() time.Duration { return l.lease }

// DoneError says that this message needs no work: its delivery is completed, or
// it has become a dead letter since the message was sent.
type DoneError struct{ Entry Entry }

func (e *DoneError) Error() string {
	return fmt.Sprintf("delivery %s is %s already", e.Entry.DeliveryID, e.Entry.State)
}

// HeldError says that another worker has the delivery in hand.
type HeldError struct {
	// Until is when its lease ends, unless it renews it.
	Until time.Time
}

func (e *HeldError) Error() string {
	return "delivery is held by another worker until " + e.Until.UTC().Format(time.RFC3339)
}

// Claim takes a delivery in hand. generation is that of the message: how often
// it was a dead letter before. The error is a [*DoneError] or a [*HeldError] if
// there is nothing to do now, else the store's.
func (l *Ledger) Claim(ctx context.Context, id string, generation int) (*Claim, error) {
	now := l.now()
	c := &Claim{ledger: l, entry: Entry{
		DeliveryID: id, State: Claimed, Generation: generation, FirstSeen: now,
	}}
	for range races {
		c.entry.Owner = l.instance + "/" + rand.Text()
		c.entry.LeaseUntil = now.Add(l.lease)
		c.entry.Attempts++
		err := c.put(ctx, c.entry)
		var conflict *ConflictError
		if err == nil {
			return c, nil
		}
		if !errors.As(err, &conflict) {
			return nil, err
		}
		// c.put has taken over what is stored.
		if c.entry, err = l.reopen(c.entry, generation, now); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("claim delivery %s: %w", id, ErrConflict)
}

// reopen decides whether a stored entry may be claimed, and as what.
func (l *Ledger) reopen(e Entry, generation int, now time.Time) (Entry, error) {
	switch {
	case e.State == Completed:
		return e, &DoneError{Entry: e}
	case e.HeldAt(now) && !(l.alone && !strings.HasPrefix(e.Owner, l.instance+"/")):
		return e, &HeldError{Until: e.LeaseUntil}
	case generation < e.Generation:
		// A copy of a message that became a dead letter after this copy was
		// sent: the letter is the one that counts.
		return e, &DoneError{Entry: e}
	}
	if e.Owner != "" {
		// Should this attempt end as that one did, and SQS give the message up,
		// nothing else says why.
		e.Last = &Fault{Stage: "claim", At: now,
			Text: "an attempt ended without a word: its worker died, or could not reach the ledger"}
	}
	if e.State == Dead {
		e.State, e.Resume = e.Resume, ""
		e.Replays++
	}
	e.Generation = max(e.Generation, generation)
	return e, nil
}

// Entry returns what is known of a delivery, or [ErrNotFound].
func (l *Ledger) Entry(ctx context.Context, id string) (Entry, error) {
	r, err := l.store.Get(ctx, id)
	if err != nil {
		return Entry{}, fmt.Errorf("look up delivery %s: %w", id, err)
	}
	return entryOf(r)
}

// put writes next as the version after version. Its own record, found in a
// conflict, means that an earlier try was carried out and its reply lost.
func (l *Ledger) put(ctx context.Context, next Entry, version int64) error {
	r, err := next.record(version+1, l.retain)
	if err != nil {
		return err
	}
	for range puts {
		err = l.store.Put(ctx, r)
		var conflict *ConflictError
		if errors.As(err, &conflict) {
			if conflict.Current.Version == r.Version && string(conflict.Current.Doc) == string(r.Doc) {
				return nil
			}
			return err
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write delivery %s as %s: %w", next.DeliveryID, next.State, err)
	}
	return nil
}
