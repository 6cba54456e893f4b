package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

// settle carries out --as-created and --create-again. It may be done twice: a
// replay that failed after it is simply called again.
func (r *replayCall) settle(ctx context.Context, d *desk, cases []letterCase) error {
	if r.asCreated == "" && !r.createAgain {
		return nil
	}
	id := cases[0].DeliveryID
	e, err := d.ledger.Entry(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("the ledger knows nothing of delivery %s, so there is nothing to settle; replay it without --as-created and --create-again", shortID(id))
	}
	if err != nil {
		return err
	}
	if e.HeldAt(time.Now()) {
		return fmt.Errorf("delivery %s is in a worker's hands until %s: try again then", shortID(id), e.LeaseUntil.UTC().Format(time.RFC3339))
	}
	if r.asCreated != "" && e.TicketID != "" && e.TicketID != r.asCreated {
		return fmt.Errorf("the ticket of delivery %s is %s, not %s", shortID(id), terminal.Printable(e.TicketID), r.asCreated)
	}
	if _, settled := r.asSettled(e); !settled {
		return notInDoubt(r, e)
	}
	if r.createAgain {
		return d.ledger.SettleNotCreated(ctx, id)
	}
	return d.ledger.SettleCreated(ctx, id, r.asCreated)
}

// asSettled is an entry as it will be when settle has done its work. settled is
// false if there is nothing to settle: no answer was lost, and no ticket's answer
// failed to name its id.
func (r *replayCall) asSettled(e ledger.Entry) (_ ledger.Entry, settled bool) {
	switch {
	case r.createAgain:
		return e.SettledNotCreated()
	case r.asCreated != "":
		return e.SettledCreated(r.asCreated, time.Now())
	}
	return e, false
}

// notInDoubt is nil if the delivery is settled in the way that was asked for.
func notInDoubt(r *replayCall, e ledger.Entry) error {
	state := e.Progress()
	switch {
	case r.asCreated != "" && state == ledger.Created && e.TicketID == r.asCreated,
		r.createAgain && state == ledger.Claimed:
		return nil
	case state == ledger.Created || state == ledger.Completed:
		return fmt.Errorf("delivery %s is not in doubt: ticket %s is made; replay it without --as-created and --create-again",
			shortID(e.DeliveryID), cmp.Or(terminal.Printable(e.TicketID), "of unknown id"))
	}
	return fmt.Errorf("delivery %s is not in doubt: its ticket is not made; replay it without --as-created", shortID(e.DeliveryID))
}
