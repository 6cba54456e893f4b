package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
)

// holdError means that a delivery waits because its project's breaker is open, or it is
// paused. It is not an attempt, and does not count towards patience.
type holdError struct{ breaker.Hold }

func (e *holdError) Error() string { return e.Why }

// ask asks the breaker whether the delivery may run.
func (d *delivery) ask(ctx context.Context, entry ledger.Entry) error {
	pass, hold, err := d.Breaker.Ask(ctx, breaker.Subject{
		Project: d.project(entry), Delivery: entry.DeliveryID, Probe: d.probe,
		Failing: failing(entry),
	})
	d.pass = pass
	if err != nil {
		d.out.Warning = fmt.Errorf("continuing without the circuit breaker: %w", err)
	}
	if pass == nil {
		return &holdError{hold}
	}
	return nil
}

// failing reports whether a delivery without a ticket has failed some five times in a row,
// by the sum of its delays.
func failing(e ledger.Entry) bool {
	return e.Waited >= waits[4].waited && (e.State == ledger.Claimed || e.State == ledger.Creating)
}

// stillWell asks again before a request.
func (d *delivery) stillWell(ctx context.Context) error {
	if hold, held := d.pass.Still(ctx); held {
		return &holdError{hold}
	}
	return nil
}

// project returns the project of the delivery's next request.
func (d *delivery) project(entry ledger.Entry) string {
	if at := entry.Progress(); entry.Where != nil && entry.Where.Project != "" && (at == ledger.Creating || at == ledger.Created) {
		return entry.Where.Project
	}
	return d.request.Project
}

// probe sends Centercode a request that changes nothing.
func (d *delivery) probe(ctx context.Context) *breaker.Fault {
	key, err := d.Secrets.Fresh(ctx, secrets.CentercodeAPIKey, keyAge)
	if err != nil {
		return &breaker.Fault{Text: describe(failed(queue.StageSecret, err))}
	}
	probe := centercode.ProbeRequest{Project: d.request.Project, Source: d.request.Source, APIKey: key}
	if d.request.Lookup != nil {
		probe.Package = d.request.Lookup.Package
	}
	err = d.Centercode.Probe(ctx, probe)
	var api *centercode.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api):
		return d.faultOf(api)
	}
	return &breaker.Fault{Text: describe(err)}
}

// heard reports the result of a call to Centercode to the breaker. reads means that the
// call changes nothing.
func (d *delivery) heard(ctx context.Context, reads bool, err error) error {
	ctx = context.WithoutCancel(ctx) // the breaker limits its own work
	var api *centercode.Error
	var source *centercode.SourceError
	switch {
	case errors.As(err, &source):
		return nil // the source is not the breaker's concern
	case errors.As(err, &api) && api.NotWell():
		return d.pass.Unwell(ctx, *d.faultOf(api))
	case !reads && (err == nil || api != nil && api.Status != 0):
		return d.pass.Well(ctx)
	}
	return nil
}

// faultOf returns what an answer says about Centercode's health.
func (d *delivery) faultOf(e *centercode.Error) *breaker.Fault {
	lookUp := d.claim != nil && d.claim.Entry().State == ledger.Creating && d.where().Lookup != nil
	return &breaker.Fault{Status: e.Status, Text: describe(e), RetryAfter: e.RetryAfter, Lost: e.Lost, LookUp: lookUp}
}

// hold puts the message back until its project may have recovered. If the ledger does not
// know the delivery, it gets an entry now, so that searches find it.
func (d *delivery) hold(ctx context.Context, held *holdError) {
	var err error
	switch {
	case d.claim != nil:
		err = d.claim.Release(ctx, ledger.Fault{Stage: string(d.out.Stage), Text: held.Why, At: d.Now()}, d.didNothing, 0)
	case d.known != nil:
		err = d.known.Keep(ctx, d.about)
	}
	d.waitsFor(held.Hold)
	d.putBack(ctx, Held, held.Wait(d.Now(), d.receives), held)
	if err != nil {
		d.out.Warning = errors.Join(d.out.Warning, err)
	}
}

// waitsFor reports what ends the message's wait, whatever its delay.
func (d *delivery) waitsFor(h breaker.Hold) {
	d.out.Hold, d.out.Receipts = h, map[string]string{d.message.MessageId: d.message.ReceiptHandle}
}

// gather combines the held deliveries of a batch into one outcome for each project.
func gather(all []Outcome) (held []Outcome) {
	at := map[string]int{}
	for _, o := range all {
		if o.Result != Held {
			continue
		}
		i, ok := at[o.Hold.Project]
		if !ok {
			i = len(held)
			at[o.Hold.Project] = i
			held = append(held, Outcome{Result: Held, Hold: o.Hold, Files: o.Files, Receipts: map[string]string{}, Err: o.Err, Warning: o.Warning})
		}
		maps.Copy(held[i].Receipts, o.Receipts)
		held[i].RetryIn = max(held[i].RetryIn, o.RetryIn)
		held[i].Took = max(held[i].Took, o.Took)
		held[i].Age = max(held[i].Age, o.Age)
	}
	return held
}
