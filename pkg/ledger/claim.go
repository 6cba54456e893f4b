package ledger

import (
	"context"
	"errors"
	"maps"
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
	ledger *Ledger

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
	return c.change(ctx, func(*Entry, time.Time) {})
}

// NotSent takes back what Creating or Attaching announced: the request is known
// to have done nothing.
func (c *Claim) NotSent(ctx context.Context) error {
	return c.change(ctx, func(e *Entry, _ time.Time) { e.notSent() })
}

// Creating says that the request for the ticket is sent next, or that it is
// only now that its answer is given up.
func (c *Claim) Creating(ctx context.Context) error {
	return c.change(ctx, func(e *Entry, now time.Time) {
		e.State, e.CreatingSince = Creating, now
	})
}

// Created says that Centercode has the ticket. id and files may be unknown.
func (c *Claim) Created(ctx context.Context, id string, files map[string]string, answerKeys []string) error {
	return c.change(ctx, func(e *Entry, _ time.Time) {
		e.State, e.TicketID, e.Files, e.AnswerKeys = Created, id, maps.Clone(files), answerKeys
	})
}

// CreatedAndCompleted is Created and Completed in one write, for a ticket that
// gets no attachment.
func (c *Claim) CreatedAndCompleted(ctx context.Context, id string) error {
	return c.end(ctx, func(e *Entry) {
		e.TicketID = id
		e.completed()
	})
}

// Attaching says that the named attachment is sent next; "" that none is, after
// all.
func (c *Claim) Attaching(ctx context.Context, name string) error {
	return c.change(ctx, func(e *Entry, _ time.Time) { e.Attaching = name })
}

// Attached says that Centercode has the named attachment.
func (c *Claim) Attached(ctx context.Context, name string, a Attachment) error {
	return c.change(ctx, func(e *Entry, now time.Time) {
		a.At = now
		e.Attaching = ""
		e.attach(name, a)
	})
}

// Completed says that nothing is left to do.
func (c *Claim) Completed(ctx context.Context) error {
	return c.end(ctx, (*Entry).completed)
}

// Died says that the dead-letter queue has the delivery, f being the reason.
// notSent is as NotSent, so that a replay may send the request again.
func (c *Claim) Died(ctx context.Context, f Fault, notSent bool) error {
	return c.end(ctx, func(e *Entry) {
		if notSent {
			e.notSent()
		}
		e.State, e.Resume = Dead, e.State
		e.Generation++
		e.Last = &f
	})
}

// Release gives the delivery up for another attempt. f and notSent are as in
// Died.
func (c *Claim) Release(ctx context.Context, f Fault, notSent bool) error {
	return c.end(ctx, func(e *Entry) {
		if notSent {
			e.notSent()
		}
		e.Last = &f
	})
}

func (e *Entry) completed() { e.State, e.Attaching = Completed, "" }

func (e *Entry) notSent() {
	if e.State == Creating {
		e.State = Claimed
	}
	e.Attaching = ""
}

func (e *Entry) attach(name string, a Attachment) {
	e.Attached = maps.Clone(e.Attached)
	if e.Attached == nil {
		e.Attached = map[string]Attachment{}
	}
	e.Attached[name] = a
}

// end is a change that gives up the lease.
func (c *Claim) end(ctx context.Context, edit func(*Entry)) error {
	return c.change(ctx, func(e *Entry, _ time.Time) {
		edit(e)
		e.Owner, e.LeaseUntil = "", time.Time{}
	})
}

func (c *Claim) change(ctx context.Context, edit func(*Entry, time.Time)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return ErrConflict
	}
	now, next := c.ledger.now(), c.entry
	next.LeaseUntil = now.Add(c.ledger.lease)
	edit(&next, now)
	return c.put(ctx, next)
}

// put writes next. On a conflict the claim is lost, and its entry becomes the
// one that is stored; unless that is an earlier write of this very claim, whose
// reply never came: next, which holds all that one said, is written over it.
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
		stored, parseErr := entryOf(conflict.Current)
		if parseErr != nil {
			return parseErr
		}
		c.version = conflict.Current.Version
		if stored.Owner == "" || stored.Owner != c.entry.Owner {
			c.entry, c.lost = stored, true
			return err
		}
	}
}
