package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotParked means that a delivery is not waiting for a person to say whether its request
// was carried out.
var ErrNotParked = errors.New("delivery is not parked for a lost answer")

// SettledCreated returns the entry after a person has confirmed that the request whose
// answer was lost was carried out: the ticket exists as ticketID, or Centercode has the
// file if an upload was in doubt. It also sets the id of a ticket whose answer did not
// contain one. A replay continues from there. settled is false if there is nothing to
// settle.
func (e Entry) SettledCreated(ticketID string, now time.Time) (_ Entry, settled bool) {
	state := e.Progress()
	nameless := state == Created && e.TicketID == "" && ticketID != ""
	if e.State == Completed || !e.InDoubt() && !nameless {
		return e, false
	}
	if state == Creating || nameless || e.Twin != "" {
		e, e.TicketID, e.Twin = e.at(Created), ticketID, ""
	}
	if e.Attaching != "" {
		e = e.AsAttached(e.Attaching, Attachment{At: now})
	}
	return e, true
}

// SettledNotCreated returns the entry after a person has confirmed that the request whose
// answer was lost did nothing, so that a replay sends it again. settled is false if there
// is nothing to settle.
func (e Entry) SettledNotCreated() (_ Entry, settled bool) {
	if !e.InDoubt() {
		return e, false
	}
	if e.Progress() == Creating {
		e = e.at(Claimed)
	}
	e.Apart = e.Apart || e.Twin != ""
	e.Attaching, e.Twin = "", ""
	return e, true
}

// at returns the entry with another progress; a dead one stays dead.
func (e Entry) at(state State) Entry {
	if e.State == Dead {
		e.Resume = state
	} else {
		e.State = state
	}
	return e
}

// SettleCreated records [Entry.SettledCreated] for a delivery that nobody holds: a dead
// one, or one whose message SQS moved to the dead-letter queue while its ticket was in
// doubt. The error is [ErrNotFound], [ErrNotParked], [ErrConflict] or the store's.
func (l *Ledger) SettleCreated(ctx context.Context, id, ticketID string) error {
	what := "said that the file is there"
	if ticketID != "" {
		what = "said that ticket " + ticketID + " is it"
	}
	return l.settle(ctx, id, what, func(e Entry) (Entry, bool) { return e.SettledCreated(ticketID, l.now()) })
}

// SettleNotCreated likewise records [Entry.SettledNotCreated].
func (l *Ledger) SettleNotCreated(ctx context.Context, id string) error {
	return l.settle(ctx, id, "said that the request did nothing", Entry.SettledNotCreated)
}

func (l *Ledger) settle(ctx context.Context, id, what string, settled func(Entry) (Entry, bool)) error {
	doing := "settle delivery " + id
	return l.edit(ctx, doing, id, nil, func(e Entry) (Entry, error) {
		next, ok := settled(e)
		if e.HeldAt(l.now()) || !ok {
			return e, fmt.Errorf("%s (%s): %w", doing, e.State, ErrNotParked)
		}
		next = next.AsActed(l.action(ctx, l.now(), what))
		next.UpdatedAt = l.now()
		return next, nil
	})
}
