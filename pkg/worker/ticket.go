package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
)

// keyAge is the age from which the API key is read again after a 401 or 403. A key that is
// younger has just been read, and the answer stands.
const keyAge = 10 * time.Second

// ticket creates the ticket, unless the ledger has it.
func (d *delivery) ticket(ctx context.Context) error {
	entry := d.claim.Entry()
	d.out.TicketID = entry.TicketID
	if err := d.notTwice(ctx, entry); err != nil {
		return failed(queue.StageCreate, err)
	}
	if entry.State == ledger.Creating {
		found, err := d.resolve(ctx, entry)
		if err != nil {
			return err
		}
		if !found {
			entry.State = ledger.Claimed
		}
	}
	if entry.State == ledger.Claimed {
		if err := d.withKey(ctx, false, d.create); err != nil {
			return failed(queue.StageCreate, err)
		}
	}
	return failed(queue.StageLookUp, d.name(ctx))
}

// notTwice keeps a late webhook from becoming a second ticket if reconcile has sent its
// feedback meanwhile. The delivery is in the ledger by now: reconcile searches it after
// recording what it sends.
func (d *delivery) notTwice(ctx context.Context, entry ledger.Entry) error {
	if d.likeness == "" || entry.State != ledger.Claimed || entry.Apart {
		return nil
	}
	twin, err := d.Ledger.TwinOf(ctx, d.likeness, d.out.DeliveryID)
	if err == nil && twin != "" {
		err = cmp.Or(d.claim.Twin(ctx, twin), final(queue.ReasonAmbiguous, "'fairbridge reconcile' has sent a feedback of the same session "+
			"with the same text, as delivery %s: it is the same one and its webhook came late, or the tester has said the same twice", twin))
	}
	return err
}

// settles returns how much longer Centercode gets to finish what it may still be doing: at
// most the configured time, even if the clock has been set back since.
func (d *delivery) settles(e ledger.Entry, l *ledger.Lookup) time.Duration {
	return min(e.CreatingSince.Add(l.Settle).Sub(d.Now()), l.Settle)
}

// name looks up the id of a ticket whose answer did not contain it. If it is not found, the
// ticket simply has no id in the ledger.
func (d *delivery) name(ctx context.Context) error {
	entry := d.claim.Entry()
	where, _ := d.sentTo(entry)
	if entry.State != ledger.Created || entry.TicketID != "" || where.Lookup == nil || where.BaseURL != d.BaseURL {
		return nil
	}
	if wait := d.settles(entry, where.Lookup); wait > 0 {
		return &waitError{after: wait, why: "the ticket is made, and will be looked up: Centercode's answer did not name it"}
	}
	id, found, err := d.find(ctx, where)
	switch {
	case cannotWork(err), err == nil && !found:
		return nil
	case err != nil:
		return err
	}
	d.out.TicketID = id
	return d.claim.Created(ctx, id, entry.Files, entry.AnswerKeys)
}

// create sends the request for the ticket. The ledger knows of it before Centercode does.
func (d *delivery) create(ctx context.Context, key string) error {
	if left, limited := d.left(); limited && left < createTimeout {
		// The answer might not arrive before the invocation ends.
		return &waitError{why: "too little time is left in this invocation"}
	}
	if err := d.stillWell(ctx); err != nil {
		return err
	}
	where := d.where()
	var ticket centercode.Ticket
	err := d.exchange(ctx, exchange{
		announce: func(ctx context.Context) error { return d.claim.Creating(ctx, where) },
		send: func() (err error) {
			// The request runs to its own end, whatever happens to the lease: cutting it
			// off would make it a lost answer.
			sending, cancel := context.WithTimeout(d.invocation, createTimeout)
			defer cancel()
			ticket, err = d.Centercode.CreateTicket(sending, centercode.CreateRequest{
				Project: d.request.Project, Source: d.request.Source, APIKey: key, Body: d.request.Body,
			})
			return err
		},
		record: func(ctx context.Context) error { return d.created(ctx, ticket) },
	})
	if api, ok := errors.AsType[*centercode.Error](err); ok && api.OwnFault && where.Lookup != nil {
		// Centercode reports that it did nothing, and a look-up can verify that.
		d.didNothing, where.Denied = false, true
		err = &lostAnswerError{denied: true, err: err}
	}
	if lost, ok := errors.AsType[*lostAnswerError](err); ok {
		lost.again = d.request.OnLostAnswer == mapping.Retry
		closing, stop := d.closing(ctx)
		defer stop()
		// The settle time of a look-up starts now.
		return errors.Join(err, d.claim.Creating(closing, where))
	}
	return err
}

// exchange is a request that must not be sent twice: the ledger knows of it before
// Centercode does, and of its answer before anything else happens.
type exchange struct {
	announce func(context.Context) error
	send     func() error
	record   func(context.Context) error
}

// exchange carries one out. The error is a *lostAnswerError if the request may have been
// carried out; after any other error of send it did nothing.
func (d *delivery) exchange(ctx context.Context, e exchange) error {
	d.didNothing = true
	if err := e.announce(ctx); err != nil {
		return err
	}
	d.didNothing = false
	if err := d.answered(e.send()); err != nil {
		return err
	}
	closing, stop := d.closing(ctx)
	defer stop()
	return e.record(closing)
}

// where returns the destination of the request for the ticket.
func (d *delivery) where() ledger.Where {
	return ledger.Where{
		BaseURL: d.BaseURL, Project: d.request.Project, Source: d.request.Source, Mapping: d.MappingHash,
		Lookup: (*ledger.Lookup)(d.request.Lookup),
	}
}

// created records the ticket. One without attachments is completed at once, unless its id
// has to be looked up.
func (d *delivery) created(ctx context.Context, ticket centercode.Ticket) error {
	d.out.TicketID = ticket.ID
	if len(d.request.Attachments) == 0 && (ticket.ID != "" || d.request.Lookup == nil) {
		return d.claim.CreatedAndCompleted(ctx, ticket.ID)
	}
	return d.claim.Created(ctx, ticket.ID, ticket.Files, ticket.AnswerKeys)
}

// answered distinguishes a lost answer from a failure that is known to have done nothing.
func (d *delivery) answered(err error) error {
	var api *centercode.Error
	var source *centercode.SourceError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &source), errors.As(err, &api) && !api.Lost:
		d.didNothing = true
		return err
	}
	return &lostAnswerError{err: err}
}

// resolve finds out what became of a request whose answer was lost in an earlier attempt.
// It searches where the request went, whatever the mapping says now. found means that the
// ticket exists; neither found nor an error means that it is safe to send the request.
func (d *delivery) resolve(ctx context.Context, entry ledger.Entry) (found bool, err error) {
	where, known := d.sentTo(entry)
	lookup := where.Lookup
	doubt := &lostAnswerError{found: true, denied: where.Denied, again: d.request.OnLostAnswer == mapping.Retry}
	switch {
	case lookup == nil && (doubt.again || doubt.denied):
		return false, nil
	case lookup == nil, d.settles(entry, lookup) > 0:
		return false, failed(queue.StageCreate, doubt)
	case where.BaseURL != d.BaseURL && where.BaseURL != "":
		// The key belongs to the Centercode that is configured now.
		doubt.noLookUp = true
		doubt.err = fmt.Errorf("the request went to %s, and this bridge works with %s", where.BaseURL, d.BaseURL)
		return false, failed(queue.StageLookUp, doubt)
	}
	id, found, err := d.find(ctx, where)
	switch {
	case cannotWork(err):
		// The doubt remains, and waiting will not resolve it.
		doubt.noLookUp, doubt.err = true, err
		return false, failed(queue.StageLookUp, doubt)
	case err != nil:
		return false, failed(queue.StageLookUp, err)
	case !found && !known:
		doubt.noLookUp = true
		doubt.err = errors.New("the ticket is not found with the current mapping, and it is unknown where the request went")
		return false, failed(queue.StageLookUp, doubt)
	case !found:
		return false, nil
	}
	return true, failed(queue.StageLookUp, d.created(ctx, centercode.Ticket{ID: id}))
}

// find searches the data package for the delivery's ticket.
func (d *delivery) find(ctx context.Context, where ledger.Where) (id string, found bool, err error) {
	err = d.withKey(ctx, true, func(ctx context.Context, key string) error {
		id, found, err = d.Centercode.FindTicket(ctx, centercode.Lookup{
			Project: where.Project, Package: where.Lookup.Package, Column: where.Lookup.Column,
			TicketColumn: where.Lookup.TicketColumn, Value: d.out.DeliveryID, APIKey: key,
		})
		return err
	})
	return id, found, err
}

// sentTo returns the destination of the request whose answer was lost. It is not known for
// an entry that a worker of the previous version wrote or rewrote: then it is the current
// mapping's.
func (d *delivery) sentTo(entry ledger.Entry) (where ledger.Where, known bool) {
	if entry.Where == nil {
		return d.where(), false
	}
	return *entry.Where, true
}

// cannotWork reports whether a look-up will fail again: Centercode does not know the data
// package, or the package does not match the route.
func cannotWork(err error) bool {
	api, ok := errors.AsType[*centercode.Error](err)
	return ok && api.Permanent()
}

// withKey makes a call with the API key and, if Centercode rejects it, once more with the
// key that SSM has now: that is how a key is rotated without a deployment. The result is
// reported to the breaker; reads means that the call changes nothing.
func (d *delivery) withKey(ctx context.Context, reads bool, call func(context.Context, string) error) error {
	key, err := d.Secrets.Get(ctx, secrets.CentercodeAPIKey)
	if err != nil {
		return failed(queue.StageSecret, err)
	}
	err = call(ctx, key)
	if takeApart(err).answered(http.StatusUnauthorized, http.StatusForbidden) {
		fresh, readErr := d.Secrets.Fresh(ctx, secrets.CentercodeAPIKey, keyAge)
		if readErr == nil && fresh != key {
			err = call(ctx, fresh)
		}
		err = errors.Join(err, readErr)
	}
	if breakerErr := d.heard(ctx, reads, err); breakerErr != nil {
		d.out.Warning = errors.Join(d.out.Warning, breakerErr)
	}
	return err
}
