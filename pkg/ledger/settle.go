package ledger

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotParked says that a delivery does not wait for a person's word on
// whether its ticket was made.
var ErrNotParked = errors.New("delivery is not parked for a lost answer")

// SettleCreated records that the request whose answer was lost was carried out:
// the ticket exists under ticketID, or, where an upload was parked, Centercode
// has the file. A ticket whose answer came, but did not name its id, gets it the
// same way. A replay goes on from there. The error is [ErrNotFound],
// [ErrNotParked], [ErrConflict] or the store's.
func (l *Ledger) SettleCreated(ctx context.Context, id, ticketID string) error {
	return l.settle(ctx, id, func(e *Entry, state *State) (settled bool) {
		nameless := *state == Created && e.TicketID == "" && ticketID != ""
		settled = inDoubt(*e, *state) || nameless
		if *state == Creating || nameless {
			*state, e.TicketID = Created, ticketID
		}
		if e.Attaching != "" {
			e.attach(e.Attaching, Attachment{At: l.now()})
			e.Attaching = ""
		}
		return settled
	})
}

// SettleNotCreated records that the request whose answer was lost did nothing,
// so that a replay sends it again. The errors are those of SettleCreated.
func (l *Ledger) SettleNotCreated(ctx context.Context, id string) error {
	return l.settle(ctx, id, func(e *Entry, state *State) (settled bool) {
		settled = inDoubt(*e, *state)
		if *state == Creating {
			*state = Claimed
		}
		e.Attaching = ""
		return settled
	})
}

// inDoubt says whether a request is announced whose answer is not known.
func inDoubt(e Entry, state State) bool { return state == Creating || e.Attaching != "" }

// settle edits a delivery that nobody holds: a dead one, or one whose message SQS
// itself moved to the dead-letter queue while its ticket was in doubt. edit says
// whether there was something to settle.
func (l *Ledger) settle(ctx context.Context, id string, edit func(e *Entry, state *State) bool) error {
	r, err := l.store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("settle delivery %s: %w", id, err)
	}
	e, err := entryOf(r)
	if err != nil {
		return err
	}
	e = e.clone()
	state := &e.State
	if e.State == Dead {
		state = &e.Resume
	}
	if e.HeldAt(l.now()) || !edit(&e, state) {
		return fmt.Errorf("settle delivery %s (%s): %w", id, e.State, ErrNotParked)
	}
	e.UpdatedAt = l.now()
	return l.put(ctx, e, r.Version)
}
