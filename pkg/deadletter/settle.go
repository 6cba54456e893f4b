package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// Settlement is a person's decision on a request whose answer was lost. The zero value is
// none.
type Settlement struct {
	// AsCreated is the ticket that the request created, or that has the file.
	AsCreated string
	// CreateAgain means that the request did nothing.
	CreateAgain bool
}

func (s Settlement) none() bool { return s == Settlement{} }

// apply returns the entry as it will be after the settlement. settled is false if there is
// nothing to settle: no answer was lost, and no ticket lacks its id.
func (s Settlement) apply(e ledger.Entry, now time.Time) (_ ledger.Entry, settled bool) {
	switch {
	case s.CreateAgain:
		return e.SettledNotCreated()
	case s.AsCreated != "":
		return e.SettledCreated(s.AsCreated, now)
	}
	return e, false
}

// NotInDoubtError means that there is nothing to settle about a delivery.
type NotInDoubtError struct {
	// Problem is the reason.
	Problem string
	// NotMade means that the ticket certainly does not exist, so that only AsCreated is
	// wrong.
	NotMade bool
}

func (e *NotInDoubtError) Error() string { return e.Problem }

// settle records a settlement. It may be repeated: a replay that failed afterwards is
// simply called again.
func (d *Manager) settle(ctx context.Context, id string, s Settlement) error {
	e, err := d.ledger.Entry(ctx, id)
	known := !errors.Is(err, ledger.ErrNotFound)
	if known && err != nil {
		return err
	}
	if err := s.check(id, e, known, d.now()); err != nil {
		return err
	}
	switch _, settled := s.apply(e, d.now()); {
	case !settled:
		return nil // it is settled in this way, or is created as if it were new
	case s.CreateAgain:
		return d.ledger.SettleNotCreated(ctx, id)
	}
	return d.ledger.SettleCreated(ctx, id, s.AsCreated)
}

// check returns why a delivery cannot be settled in this way; known is false if the ledger
// has no entry of it.
func (s Settlement) check(id string, e ledger.Entry, known bool, now time.Time) error {
	switch {
	case s.none(), !known && s.CreateAgain:
		return nil
	case !known:
		return &NotInDoubtError{Problem: fmt.Sprintf("the ledger knows nothing of delivery %s, so there is nothing to settle", queue.ShortID(id))}
	case e.HeldAt(now):
		return fmt.Errorf("delivery %s is in a worker's hands until %s: try again then", queue.ShortID(id), e.LeaseUntil.UTC().Format(time.RFC3339))
	case s.AsCreated != "" && e.TicketID != "" && e.TicketID != s.AsCreated:
		return fmt.Errorf("the ticket of delivery %s is %s, not %s", queue.ShortID(id), terminal.Printable(e.TicketID), s.AsCreated)
	}
	if _, settled := s.apply(e, now); !settled {
		return s.notInDoubt(e)
	}
	return nil
}

// notInDoubt returns nil if the delivery is already settled in the requested way.
func (s Settlement) notInDoubt(e ledger.Entry) error {
	state := e.Progress()
	switch {
	case s.AsCreated != "" && state == ledger.Created && e.TicketID == s.AsCreated,
		s.CreateAgain && state == ledger.Claimed:
		return nil
	case state == ledger.Created || state == ledger.Completed:
		return &NotInDoubtError{Problem: fmt.Sprintf("delivery %s is not in doubt: ticket %s is made",
			queue.ShortID(e.DeliveryID), cmp.Or(terminal.Printable(e.TicketID), "of unknown id"))}
	}
	return &NotInDoubtError{Problem: fmt.Sprintf("delivery %s is not in doubt: its ticket is not made", queue.ShortID(e.DeliveryID)), NotMade: true}
}
