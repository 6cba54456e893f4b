// Package ledger records how far each delivery got, so that a retry, a second copy of a
// message or a restart after a crash continues where the work stopped.
//
// This package is the state machine; its stores (pkg/ledger/dynamo, pkg/ledger/sqlite) only
// do conditional writes. The idempotency libraries for Lambda run an unfinished record
// again once its lease has ended. Here, the state creating prevents that, since it could
// create a second ticket.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// Lease is how long a claim lasts if it is not renewed: a worker that has gone silent
	// keeps a delivery for that time, and after a crash work resumes after about as long.
	Lease = 2 * time.Minute

	// puts is how often a write with an unknown outcome is tried. Repeating it is safe: the
	// conflict contains the same record.
	puts = 3
	// races is how often a claim is retried because others were faster.
	races = 10
)

// Ledger is the state machine over a [Store].
type Ledger struct {
	store Store
	now   func() time.Time
	// instance starts the names of this ledger's owners.
	instance string
	// With alone, every other owner is dead, and this ledger's owners keep their deliveries
	// for one lease after their last renewal, whatever the wall clock does.
	alone   bool
	mu      sync.Mutex
	renewed map[string]time.Time // by owner, with the monotonic clock's reading
	// names the person who acts; may be nil
	who func(context.Context) string
}

// Config configures a [Ledger].
type Config struct {
	// Store keeps the records. Required.
	Store Store
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Alone means that no other process uses this ledger, which the embedded home's lock
	// ensures: leases of an earlier process end at once.
	Alone bool
	// Who names the person who acts, for the entries' Actions; nil if there is none. It is
	// called only when an action is recorded.
	Who func(context.Context) string
}

// New returns a ledger. It does not read anything yet. An error is about c.
func New(c Config) (*Ledger, error) {
	if c.Store == nil {
		return nil, errors.New("make a ledger: Config.Store is missing")
	}
	l := &Ledger{
		store: c.Store, now: c.Now, instance: rand.Text(),
		alone: c.Alone, renewed: map[string]time.Time{}, who: c.Who,
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

// DoneError means that a message needs no work: its delivery is completed, or has become a
// dead letter since the message was sent.
type DoneError struct{ Entry Entry }

func (e *DoneError) Error() string {
	return fmt.Sprintf("delivery %s is %s already", e.Entry.DeliveryID, e.Entry.State)
}

// HeldError means that another worker holds the delivery.
type HeldError struct {
	// Until is when that worker's lease ends, unless it is renewed.
	Until time.Time
}

func (e *HeldError) Error() string {
	return "delivery is held by another worker until " + e.Until.UTC().Format(time.RFC3339)
}

// Delivery is a delivery as read from the ledger for a message.
type Delivery struct {
	ledger  *Ledger
	message Message
	version int64
	entry   Entry
}

// Look reads the delivery of a message. The error is a [*DoneError] or a [*HeldError] if
// there is nothing to do now, or the store's.
func (l *Ledger) Look(ctx context.Context, id string, m Message) (*Delivery, error) {
	d := &Delivery{ledger: l, message: m, entry: First(id, m, l.now())}
	r, err := l.store.Get(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return d, nil
	case err != nil:
		return nil, fmt.Errorf("look up delivery %s: %w", id, err)
	}
	if err := d.adopt(r); err != nil {
		return nil, err
	}
	if _, err := d.take(false); err != nil {
		if d.entry.State == Completed {
			// The worker that completed it may have died before deleting the letter; its
			// message then comes again.
			_ = l.forgetLetter(ctx, id, d.entry.Letter)
		}
		return nil, err
	}
	return d, nil
}

// Entry returns the delivery as it was read, or as a new one.
func (d *Delivery) Entry() Entry { return d.entry.clone() }

// Known reports whether the ledger has an entry of the delivery.
func (d *Delivery) Known() bool { return d.version > 0 }

// Claim takes the lease on the delivery. about may be empty; alone means that it is its
// worker's only work. The errors are those of [Ledger.Look].
func (d *Delivery) Claim(ctx context.Context, about About, alone bool) (*Claim, error) {
	for range races {
		next, err := d.take(alone)
		if err != nil {
			return nil, err
		}
		if about != (About{}) {
			next.About = &about
		}
		c := &Claim{ledger: d.ledger, message: d.message, began: d.ledger.now(), version: d.version, entry: next}
		d.ledger.holds(next.Owner, c.began) // before anybody can read it
		err = c.put(ctx, next)
		var conflict *ConflictError
		if err == nil {
			return c, nil
		}
		d.ledger.holds(next.Owner, time.Time{})
		if !errors.As(err, &conflict) {
			return nil, err
		}
		if err := d.adopt(conflict.Current); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("claim delivery %s: %w", d.entry.DeliveryID, ErrConflict)
}

// Keep writes an entry, without an owner, for a delivery that has none, so that searches
// find it while its message waits. An existing entry stays unchanged.
func (d *Delivery) Keep(ctx context.Context, about About) error {
	if d.Known() {
		return nil
	}
	e := d.entry
	if about != (About{}) {
		e.About = &about
	}
	if err := d.ledger.put(ctx, e, 0); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}

func (d *Delivery) adopt(r Record) error {
	e, err := Read(r)
	if err != nil {
		return err
	}
	d.entry, d.version = e, r.Version
	return nil
}

// take returns the entry as claimed now.
func (d *Delivery) take(alone bool) (Entry, error) {
	l, now := d.ledger, d.ledger.now()
	next, err := d.entry.Take(d.message, l.instance+"/"+rand.Text(), alone, now)
	if until, held := l.heldUntil(d.entry, now); err == nil && held {
		err = &HeldError{Until: until}
	}
	return next, err
}

// heldUntil reports whether and until when somebody holds a delivery.
func (l *Ledger) heldUntil(e Entry, now time.Time) (time.Time, bool) {
	if !l.alone {
		return e.LeaseUntil, e.HeldAt(now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	renewed, ours := l.renewed[e.Owner]
	left := Lease - now.Sub(renewed)
	return now.Add(left), ours && left > 0
}

// holds records that an owner has held a delivery since then, or that it has finished.
func (l *Ledger) holds(owner string, since time.Time) {
	if !l.alone {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if since.IsZero() {
		delete(l.renewed, owner)
	} else {
		l.renewed[owner] = since
	}
}

// Claim combines Look and Claim.
func (l *Ledger) Claim(ctx context.Context, id string, m Message) (*Claim, error) {
	d, err := l.Look(ctx, id, m)
	if err != nil {
		return nil, err
	}
	return d.Claim(ctx, About{}, false)
}

// Entry returns the entry of a delivery, or [ErrNotFound].
func (l *Ledger) Entry(ctx context.Context, id string) (Entry, error) {
	r, err := l.store.Get(ctx, id)
	if err != nil {
		return Entry{}, fmt.Errorf("look up delivery %s: %w", id, err)
	}
	return Read(r)
}

// put writes next as version+1. Finding its own record in a conflict means that an earlier
// try succeeded and only its reply was lost.
func (l *Ledger) put(ctx context.Context, next Entry, version int64) error {
	r, err := next.record(version + 1)
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
