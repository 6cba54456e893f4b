package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/ledger"
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
		return fmt.Errorf("the ticket of delivery %s is %s, not %s", shortID(id), printable(e.TicketID), r.asCreated)
	}
	if !r.settles(e) {
		return notInDoubt(r, e)
	}
	if r.createAgain {
		return d.ledger.SettleNotCreated(ctx, id)
	}
	return d.ledger.SettleCreated(ctx, id, r.asCreated)
}

// inDoubt says whether a request's answer was lost.
func inDoubt(e ledger.Entry) bool {
	return resumeState(e) == ledger.Creating || e.Attaching != ""
}

// settles says whether there is something to settle: a lost answer, or a ticket
// whose answer did not name its id.
func (r *replayCall) settles(e ledger.Entry) bool {
	nameless := resumeState(e) == ledger.Created && e.TicketID == ""
	return inDoubt(e) || (nameless && r.asCreated != "")
}

// notInDoubt is nil if the delivery is settled in the way that was asked for.
func notInDoubt(r *replayCall, e ledger.Entry) error {
	state := resumeState(e)
	switch {
	case r.asCreated != "" && state == ledger.Created && e.TicketID == r.asCreated,
		r.createAgain && state == ledger.Claimed:
		return nil
	case state == ledger.Created || state == ledger.Completed:
		return fmt.Errorf("delivery %s is not in doubt: ticket %s is made; replay it without --as-created and --create-again",
			shortID(e.DeliveryID), cmp.Or(printable(e.TicketID), "of unknown id"))
	}
	return fmt.Errorf("delivery %s is not in doubt: its ticket is not made; replay it without --as-created", shortID(e.DeliveryID))
}

// asSettled is an entry as it will be when settle has done its work.
func (r *replayCall) asSettled(e ledger.Entry) ledger.Entry {
	if !r.settles(e) || (r.asCreated == "" && !r.createAgain) {
		return e
	}
	if e.State == ledger.Dead {
		e.State, e.Resume = e.Resume, ""
	}
	switch {
	case e.State == ledger.Creating && r.createAgain:
		e.State = ledger.Claimed
	case e.State == ledger.Creating, e.State == ledger.Created && e.TicketID == "" && e.Attaching == "":
		e.State, e.TicketID = ledger.Created, r.asCreated
	case r.asCreated != "":
		attached := map[string]ledger.Attachment{e.Attaching: {}}
		for name, a := range e.Attached {
			attached[name] = a
		}
		e.Attached = attached
	}
	e.Attaching = ""
	return e
}
