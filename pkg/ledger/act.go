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
	for range races {
		err := l.act(ctx, id, what)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("record what was done to delivery %s: %w", id, ErrConflict)
}

func (l *Ledger) act(ctx context.Context, id string, what []string) error {
	r, err := l.store.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record what was done to delivery %s: %w", id, err)
	}
	e, err := Read(r)
	if err != nil {
		return err
	}
	now := l.now()
	for _, w := range what {
		e = e.AsActed(l.action(ctx, now, w))
	}
	if e.Owner == "" { // otherwise it is when the lease was set
		e.UpdatedAt = now
	}
	return l.put(ctx, e, r.Version)
}
