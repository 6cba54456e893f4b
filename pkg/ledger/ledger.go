// Package ledger remembers how far each delivery got, so that a retry, a second
// copy of a message or a restart after a crash goes on where the work stopped.
//
// The state machine is here; the stores under it (pkg/ledger/dynamo,
// pkg/ledger/sqlite) know only conditional writes. The idempotency libraries
// for Lambda run an unfinished record again once its lease has ended; here the
// state creating keeps that from making a second ticket.
package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// DefaultLease is how long a delivery stays with a worker that is not heard
	// of any more: a crash is picked up again after about that time.
	DefaultLease = 2 * time.Minute

	// puts is how often a write is tried whose outcome is not known. Trying
	// again is safe: the same record is recognised in the conflict.
	puts = 3
	// races is how often a claim is begun anew because others were faster.
	races = 10
)

// Ledger is the state machine over a [Store].
type Ledger struct {
	store Store
	now   func() time.Time
	lease time.Duration
	// instance begins the names of this ledger's owners.
	instance string
	// alone: every other owner is dead, and those of this ledger hold what they
	// have for a lease from when they last said so, whatever the wall clock says.
	alone   bool
	mu      sync.Mutex
	renewed map[string]time.Time // by owner, with the monotonic clock's reading
	// who tells the person behind what is done here; nil if that is nobody.
	who func(context.Context) string
}

// Config is what a [Ledger] is made of.
type Config struct {
	// Store keeps the records. It has to be there.
	Store Store
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Lease is how long a delivery stays with a worker that is not heard of; the
	// default is [DefaultLease].
	Lease time.Duration
	// Alone says that nobody else works on this ledger, as the lock of the embedded
	// home ensures: a lease that an earlier process left does not have to run out.
	Alone bool
	// Who names the person behind what is done here, for the entries' Actions; nil
	// if that is nobody. It is called when there is something to write down.
	Who func(context.Context) string
}

// New returns a ledger. It reads nothing yet. The error is about c.
func New(c Config) (*Ledger, error) {
	if c.Store == nil {
		return nil, errors.New("make a ledger: Config.Store is missing")
	}
	l := &Ledger{
		store: c.Store, now: c.Now, lease: cmp.Or(c.Lease, DefaultLease), instance: rand.Text(),
		alone: c.Alone, renewed: map[string]time.Time{}, who: c.Who,
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
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

// Delivery is what the ledger knows of a delivery for which a message has come.
type Delivery struct {
	ledger  *Ledger
	message Message
	version int64
	entry   Entry
}

// Look reads what is known of the delivery of a message. The error is a
// [*DoneError] or a [*HeldError] if there is nothing to do now, else the store's.
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
			// Who completed it may have died before: then its message comes again.
			l.forgetLetter(ctx, id, d.entry.Letter)
		}
		return nil, err
	}
	return d, nil
}

// Entry returns the delivery as it was read, or as it begins.
func (d *Delivery) Entry() Entry { return d.entry.clone() }

// Known says whether the ledger has the delivery.
func (d *Delivery) Known() bool { return d.version > 0 }

// Claim takes the delivery in hand. about may be empty; alone says that it is the
// only work of its worker. The errors are those of [Ledger.Look].
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

// Keep writes a delivery down that the ledger does not have, in nobody's hands, so
// that it can be found while its message waits. One that it has stays as it is.
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

// take is the entry as it is claimed now.
func (d *Delivery) take(alone bool) (Entry, error) {
	l, now := d.ledger, d.ledger.now()
	next, err := d.entry.Take(d.message, Taking{Owner: l.instance + "/" + rand.Text(), Until: now.Add(l.lease), Alone: alone}, now)
	if until, held := l.heldUntil(d.entry, now); err == nil && held {
		err = &HeldError{Until: until}
	}
	return next, err
}

// heldUntil says whether and until when somebody holds a delivery.
func (l *Ledger) heldUntil(e Entry, now time.Time) (time.Time, bool) {
	if !l.alone {
		return e.LeaseUntil, e.HeldAt(now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	renewed, ours := l.renewed[e.Owner]
	left := l.lease - now.Sub(renewed)
	return now.Add(left), ours && left > 0
}

// holds notes who holds a delivery since now, or that an owner is done with it.
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

// Claim is Look and Claim in one.
func (l *Ledger) Claim(ctx context.Context, id string, m Message) (*Claim, error) {
	d, err := l.Look(ctx, id, m)
	if err != nil {
		return nil, err
	}
	return d.Claim(ctx, About{}, false)
}

// Entry returns what is known of a delivery, or [ErrNotFound].
func (l *Ledger) Entry(ctx context.Context, id string) (Entry, error) {
	r, err := l.store.Get(ctx, id)
	if err != nil {
		return Entry{}, fmt.Errorf("look up delivery %s: %w", id, err)
	}
	return Read(r)
}

// put writes next as the version after version. Its own record, found in a
// conflict, means that an earlier try was carried out and its reply lost.
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
