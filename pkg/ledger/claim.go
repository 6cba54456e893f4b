package ledger

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Claim is a delivery that this process holds. Each method but Entry and Accompanied is one
// conditional write. All but CreatedAndCompleted, Completed, Died, Release and HandedOver,
// which end the claim, renew the lease. [ErrConflict] means that the lease has ended and somebody else has the delivery:
// the holder must stop and send nothing more. What a method was to record before it failed
// with any other error goes into the next write, if there is one. Claim is safe for
// concurrent use.
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

// Accompanied says that the delivery is not the only work of its worker any more. It
// writes nothing: the next write says so.
func (c *Claim) Accompanied() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entry.Alone = false
}

// NotSent takes back what Creating or Attaching announced: the request is known to have
// done nothing.
func (c *Claim) NotSent(ctx context.Context) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsNotSent() })
}

// Creating records that the request for the ticket is about to be sent, and where. Calling
// it again records that waiting for its answer ended only now.
func (c *Claim) Creating(ctx context.Context, where Where) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry { return e.AsCreating(where, now) })
}

// Created records that Centercode has the ticket. id and files may be unknown.
func (c *Claim) Created(ctx context.Context, id string, files map[string]string, answerKeys []string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsCreated(id, files, answerKeys) })
}

// CreatedAndCompleted is Created and Completed in one write, for a ticket without
// attachments.
func (c *Claim) CreatedAndCompleted(ctx context.Context, id string) error {
	return c.end(ctx, false, func(e Entry, a Attempt) Entry { return e.AsCreated(id, nil, nil).AsCompleted(a) })
}

// Attaching records that the named attachment is about to be sent; "" takes that back.
func (c *Claim) Attaching(ctx context.Context, name string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry { return e.AsAttaching(name) })
}

// Attached records that Centercode has the named attachment.
func (c *Claim) Attached(ctx context.Context, name string, a Attachment) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		a.At = now
		return e.AsAttached(name, a)
	})
}

// Twin records that the delivery may be the webhook of one that reconcile sent.
func (c *Claim) Twin(ctx context.Context, of string) error {
	return c.change(ctx, func(e Entry, _ time.Time) Entry {
		e.Twin = of
		return e
	})
}

// Completed records that nothing is left to do.
func (c *Claim) Completed(ctx context.Context) error {
	return c.end(ctx, false, Entry.AsCompleted)
}

// Died records that the delivery is in the dead-letter queue, and why. With notSent, as
// after NotSent, a replay may send the request again.
func (c *Claim) Died(ctx context.Context, f Fault, notSent bool) error {
	return c.end(ctx, notSent, func(e Entry, a Attempt) Entry { return e.AsDead(f, c.message, a) })
}

// Release ends the claim so that another attempt can follow. waits is the delay after a
// failed attempt, 0 if the delivery is only put back. f and notSent are as in Died.
func (c *Claim) Release(ctx context.Context, f Fault, notSent bool, waits time.Duration) error {
	return c.end(ctx, notSent, func(e Entry, a Attempt) Entry { return e.AsReleased(f, waits, a) })
}

// HandedOver ends the claim so that another attempt can follow from the files queue. f and
// notSent are as in Died.
func (c *Claim) HandedOver(ctx context.Context, f Fault, notSent bool) error {
	return c.end(ctx, notSent, func(e Entry, a Attempt) Entry { return e.AsHandedOver(f, a) })
}

// end writes what edit makes of the entry and of this claim, a finished attempt.
func (c *Claim) end(ctx context.Context, notSent bool, edit func(Entry, Attempt) Entry) error {
	return c.change(ctx, func(e Entry, now time.Time) Entry {
		if notSent {
			e = e.AsNotSent()
		}
		return edit(e, Attempt{At: c.began, Took: now.Sub(c.began).Milliseconds()})
	})
}

// change writes what edit makes of the entry. If the entry is still held afterwards, the
// lease is renewed.
func (c *Claim) change(ctx context.Context, edit func(Entry, time.Time) Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return ErrConflict
	}
	now := c.ledger.now()
	next := edit(c.entry, now)
	if next.Owner != "" {
		next.LeaseUntil = now.Add(Lease)
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
		_ = c.ledger.forgetLetter(ctx, next.DeliveryID, letter)
	}
	return err
}

// put writes next. On a conflict the claim is lost and takes over the stored entry, with
// two exceptions in which next is written over it: this same claim wrote it, and only the
// reply was lost; or a person has acted on the delivery, which next then includes.
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
		next.Actions = stored.Actions // what a person did stays: see [Ledger.Act]
	}
}
