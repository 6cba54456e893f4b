package ledger

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Claim is a delivery in hand. Each method is one conditional write, and all but
// CreatedAndCompleted, Completed, Died and Release, which end it, renew the
// lease. A method that fails with [ErrConflict] means that the lease had ended
// and another has the delivery now: the holder stops, and sends nothing more.
// What a method that failed otherwise had to say goes into the next write, if
// there is one. The methods may be called from several goroutines.
type Claim struct {
	ledger  *Ledger
	message Message
	began   time.Time

	mu      sync.Mutex
	version int64
	entry   Entry
	lost    bool
}

// Entry returns the delivery as this claim last wrote it.
func (c *Claim) Entry() Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry.clone()
}

// Renew holds the delivery for another lease.
func (c *Claim) Renew(ctx context.Context) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e })
}

// NotSent takes back what Creating or Attaching announced: the request is known
// to have done nothing.
func (c *Claim) NotSent(ctx context.Context) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsNotSent() })
}

// Creating says that the request for the ticket is sent next, and where to, or
// that it is only now that its answer is given up.
func (c *Claim) Creating(ctx context.Context, where Where) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry { return e.AsCreating(where, now) })
}

// Created says that Centercode has the ticket. id and files may be unknown.
func (c *Claim) Created(ctx context.Context, id string, files map[string]string, answerKeys []string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsCreated(id, files, answerKeys) })
}

// CreatedAndCompleted is Created and Completed in one write, for a ticket that
// gets no attachment.
func (c *Claim) CreatedAndCompleted(ctx context.Context, id string) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		return e.AsCreated(id, nil, nil).AsCompleted(c.attempt(now))
	})
}

// Attaching says that the named attachment is sent next; "" that none is, after
// all.
func (c *Claim) Attaching(ctx context.Context, name string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsAttaching(name) })
}

// Attached says that Centercode has the named attachment.
func (c *Claim) Attached(ctx context.Context, name string, a Attachment) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		a.At = now
		return e.AsAttached(name, a)
	})
}

// Twin says that the delivery may be the webhook of one that reconcile sent.
func (c *Claim) Twin(ctx context.Context, of string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsTwin(of) })
}

// Completed says that nothing is left to do.
func (c *Claim) Completed(ctx context.Context) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry { return e.AsCompleted(c.attempt(now)) })
}

// Died says that the dead-letter queue has the delivery, f being the reason.
// notSent is as NotSent, so that a replay may send the request again.
func (c *Claim) Died(ctx context.Context, f Fault, notSent bool) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		if notSent {
			e = e.AsNotSent()
		}
		return e.AsDead(f, c.message, c.attempt(now))
	})
}

// Release gives the delivery up for another attempt. waits is how long after a
// failed attempt of its own, 0 if it is only put back. f and notSent are as in
// Died.
func (c *Claim) Release(ctx context.Context, f Fault, notSent bool, waits time.Duration) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		if notSent {
			e = e.AsNotSent()
		}
		return e.AsReleased(f, waits, c.attempt(now))
	})
}

// attempt is this claim, as it ends.
func (c *Claim) attempt(now time.Time) Attempt {
	return Attempt{At: c.began, Took: now.Sub(c.began).Milliseconds()}
}

// change writes what edit makes of the entry. An edit that leaves it in
// somebody's hands renews the lease.
func (c *Claim) change(ctx context.Context, edit func(Entry, time.Time) Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return ErrConflict
	}
	now := c.ledger.now()
	next := edit(c.entry, now)
	if next.Owner != "" {
		next.LeaseUntil = now.Add(c.ledger.lease)
	}
	letter, owner := c.entry.Letter, c.entry.Owner
	err := c.put(ctx, next)
	switch {
	case err == nil && next.Owner != "":
		c.ledger.holds(owner, now)
	case err == nil, c.lost:
		c.ledger.holds(owner, time.Time{})
	}
	if err == nil && next.State == Completed && letter > 0 {
		c.ledger.forgetLetter(ctx, next.DeliveryID, letter)
	}
	return err
}

// put writes next. On a conflict the claim is lost, and its entry becomes the
// one that is stored; unless this very claim still holds that, since an earlier
// write's reply never came, or a person has done something to it: next, which holds
// else that it says, is written over it.
func (c *Claim) put(ctx context.Context, next Entry) error {
	next.UpdatedAt = c.ledger.now()
	for {
		err := c.ledger.put(ctx, next, c.version)
		var conflict *ConflictError
		if !errors.As(err, &conflict) {
			c.entry = next
			if err == nil {
				c.version++
				c.lost = false
			}
			return err
		}
		stored, parseErr := Read(conflict.Current)
		if parseErr != nil {
			return parseErr
		}
		c.version = conflict.Current.Version
		if stored.Owner == "" || stored.Owner != c.entry.Owner {
			c.entry, c.lost = stored, true
			return err
		}
		next.Actions = stored.Actions // a person's word: see [Ledger.Act]
	}
}
