package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ActionReplayed is the [Action] of a letter that goes back to the work queue.
const ActionReplayed = "replayed it"

func (l *Ledger) action(ctx context.Context, now time.Time, what string) Action {
	a := Action{At: now, What: what}
	if l.who != nil {
		a.Who = l.who(ctx)
	}
	return a
}

// ReplayedSince reports whether somebody has sent the letter of the last death back to the
// work queue.
func (e Entry) ReplayedSince() bool {
	for _, a := range e.Actions {
		if a.What == ActionReplayed && e.State == Dead && e.Last != nil && !a.At.Before(e.Last.At.Truncate(time.Second)) {
			return true
		}
	}
	return false
}

// Act records what a person does to a delivery, in any state, even while a worker holds it.
// For a delivery that the ledger does not know it writes nothing: an entry would claim that
// the delivery's history is known.
func (l *Ledger) Act(ctx context.Context, id string, what ...string) error {
	err := l.edit(ctx, "record what was done to delivery "+id, id, nil, func(e Entry) (Entry, error) {
		now := l.now()
		for _, w := range what {
			e = e.AsActed(l.action(ctx, now, w))
		}
		if e.Owner == "" { // otherwise it is when the lease was set
			e.UpdatedAt = now
		}
		return e, nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// errUnchanged makes [Ledger.edit] write nothing.
var errUnchanged = errors.New("ledger: nothing to change")

// edit writes what change makes of a delivery's entry, or of first if there is none, and
// starts again if another write came in between. doing is for errors: [ErrNotFound] if first
// is nil as well, [ErrConflict], change's own as they are, or the store's.
func (l *Ledger) edit(ctx context.Context, doing, id string, first *Entry, change func(Entry) (Entry, error)) error {
	for range races {
		r, err := l.store.Get(ctx, id)
		var e Entry
		switch {
		case err == nil:
			e, err = Read(r)
		case errors.Is(err, ErrNotFound) && first != nil:
			e, err = *first, nil
		default:
			err = fmt.Errorf("%s: %w", doing, err)
		}
		if err != nil {
			return err
		}
		if e, err = change(e); errors.Is(err, errUnchanged) {
			return nil
		}
		if err == nil {
			err = l.put(ctx, e, r.Version)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", doing, ErrConflict)
}
