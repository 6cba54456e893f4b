package ledger

import (
	"context"
	"errors"
	"time"
)

// rank orders how far two homes got with the same delivery: what is known to exist at
// Centercode ranks highest.
func (e Entry) rank() int {
	switch {
	case e.State == Completed:
		return 3
	case e.Progress() == Created:
		return 2
	case e.Progress() == Creating:
		return 1
	}
	return 0
}

// Imported returns the entry after the import of a dead letter from another home, with its
// fault f and its generation; other is that home's entry. A completed entry wins, then one
// with a ticket, then one in doubt, then the higher generation, otherwise this one. needed
// is false if nothing is left to do.
//
// Spent is not carried over, since the clocks of two queues are not comparable. The
// generation of the result makes the letter a current one.
func (e Entry) Imported(other Entry, generation int, f Fault, now time.Time) (_ Entry, needed bool) {
	here := e
	if other.rank() > e.rank() || other.rank() == e.rank() && other.Generation > e.Generation {
		e = other
	}
	if !here.FirstSeen.IsZero() && here.FirstSeen.Before(e.FirstSeen) {
		e.FirstSeen = here.FirstSeen
	}
	e.Generation = max(here.Generation, other.Generation, generation)
	e.Form, e.Spent, e.UpdatedAt = form, time.Time{}, now
	e.Owner, e.LeaseUntil, e.Suspect, e.Alone, e.EndsAlone = "", time.Time{}, false, false, 0
	e.Letter = here.Letter
	if e.State == Completed {
		return e, false
	}
	if e.State != Dead {
		e.State, e.Resume = Dead, e.State
	}
	e.Last = &f
	return e, true
}

// Import records a dead letter of another home. It keeps letter as [Claim.KeepLetter] does,
// and replaces the entry by that of [Entry.Imported]; other is nil if that home had no
// entry. Only afterwards, and only if it is needed, may the letter be sent to the
// dead-letter queue, with the generation of the returned entry. If neither home has an
// entry, nothing is written.
//
// The error is a [*HeldError] while a worker holds the delivery, or the store's.
func (l *Ledger) Import(ctx context.Context, id string, other *Entry, generation int, f Fault, letter []byte) (e Entry, needed bool, err error) {
	now := l.now()
	var first *Entry
	if other != nil {
		e = First(id, Message{}, now)
		first = &e
	}
	err = l.edit(ctx, "import delivery "+id, id, first, func(here Entry) (Entry, error) {
		if here.HeldAt(now) {
			return here, &HeldError{Until: here.LeaseUntil}
		}
		theirs := here
		if other != nil {
			theirs = *other
		}
		if e, needed = here.Imported(theirs, generation, f, now); !needed && here.State == Completed {
			e = here
			return here, errUnchanged
		}
		e.DeliveryID = id
		e = e.AsActed(l.action(ctx, now, "imported its letter"))
		if !needed {
			return e, nil
		}
		parts, err := l.keepLetter(ctx, id, letter)
		e.Letter = max(e.Letter, parts)
		return e, err
	})
	switch {
	case other == nil && errors.Is(err, ErrNotFound):
		return Entry{DeliveryID: id, Generation: generation}, true, nil
	case err != nil:
		return Entry{}, false, err
	case e.State == Completed:
		_ = l.forgetLetter(ctx, id, e.Letter)
	}
	return e, needed, nil
}
