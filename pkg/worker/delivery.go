package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// delivery is one message in one attempt.
type delivery struct {
	*Handler
	// Mapping is the one that the delivery began with.
	*Mapping
	// invocation is the parent of the work's context. Its deadline can move, when the
	// embedded home stops.
	invocation context.Context
	gate       *gate
	message    events.SQSMessage
	// receives is how often the message has been received.
	receives int
	began    time.Time
	// receivedAt is when its webhook arrived.
	receivedAt time.Time
	known      *ledger.Delivery
	about      ledger.About
	// likeness is the event's: a twin has the same.
	likeness string
	claim    *ledger.Claim
	request  mapping.Request
	// pass is the breaker's permission to run; nil if it was not asked.
	pass *breaker.Pass
	// share is how much of the room the delivery occupies.
	share atomic.Int64
	// didNothing is set once the request that the ledger has announced is known not to have
	// been carried out. Until then it is in doubt.
	didNothing bool
	// cutOff is set if the invocation's time ended before the work did.
	cutOff bool
	out    Outcome
}

// stepError is a failed step.
type stepError struct {
	stage queue.Stage
	err   error
}

func (e *stepError) Error() string { return string(e.stage) + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// panicError is a bug. Its stack is logged, and not stored anywhere else.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// failed adds the step to err, unless a step within it was added already.
func failed(stage queue.Stage, err error) error {
	if _, named := errors.AsType[*stepError](err); named || err == nil {
		return err
	}
	return &stepError{stage: stage, err: err}
}

// deliver processes one message as far as possible.
func (h *Handler) deliver(ctx context.Context, shared *gate, message events.SQSMessage) Outcome {
	receives, err := strconv.Atoi(message.Attributes["ApproximateReceiveCount"])
	if err != nil {
		receives = 1
	}
	d := &delivery{
		Handler: h, Mapping: h.mapping.Load(), invocation: ctx, gate: shared, message: message, receives: receives, began: h.Now(),
		out: Outcome{MessageID: message.MessageId, Attempt: receives, Files: h.ofFiles(message)},
	}
	work, stop := h.working(ctx)
	defer stop()
	err = d.run(work)
	defer d.leave()
	d.cutOff = work.Err() != nil
	closing, cancel := d.closing(ctx)
	defer cancel()
	d.settle(closing, err)
	if err := d.pass.Done(closing); err != nil {
		d.out.Warning = errors.Join(d.out.Warning, err)
	}
	d.out.Took = h.Now().Sub(d.began)
	return d.out
}

// run does the steps in their order. The lease is kept until it returns.
func (d *delivery) run(ctx context.Context) (err error) {
	stage := queue.StageDecode
	defer func() {
		// One bad record must not fail the others of the batch.
		if p := recover(); p != nil {
			err = failed(stage, &panicError{value: p, stack: debug.Stack()})
		}
	}()

	envelope, malformed := queue.Decode(d.message.Body)
	d.out.DeliveryID = envelope.DeliveryID
	if malformed != nil {
		d.out.DeliveryID = queue.DeliveryID(d.message.Body)
	} else {
		d.receivedAt = envelope.ReceivedAt
		d.out.Age = d.began.Sub(envelope.ReceivedAt)
	}

	// A finished delivery needs no mapping: a late copy must not become a dead letter
	// because the mapping has changed since.
	stage = queue.StageClaim
	if err := d.enter(ctx); err != nil {
		return failed(stage, err)
	}
	d.known, err = d.Ledger.Look(ctx, d.out.DeliveryID, copyOf(d.message))
	if err != nil {
		return failed(stage, err)
	}

	unfit := d.prepare(envelope, malformed)
	if err := d.take(ctx, unfit == nil); err != nil {
		return failed(stage, err)
	}
	d.out.Attempt = d.claim.Entry().Attempts
	ctx, letGo := d.keep(ctx)
	defer letGo()
	if times := d.claim.Entry().EndsAlone; times >= mostEndsAlone {
		return failed(stage, final(queue.ReasonWorkerDied, "%d attempts in a row ended without recording a result "+
			"while the delivery was the only work of its worker", times))
	}

	switch {
	case errors.Is(unfit, mapping.ErrIgnored):
		d.out.Result = Ignored
	case unfit != nil:
		return unfit
	default:
		stage = queue.StageCreate
		if err := d.ticket(ctx); err != nil {
			return err
		}
		stage = queue.StageAttach
		if err := d.attachments(ctx); err != nil {
			return err
		}
		d.out.Result = Created
	}
	if d.claim.Entry().State == ledger.Completed {
		return nil // together with the ticket
	}
	closing, cancel := d.closing(ctx)
	defer cancel()
	return failed(queue.StageComplete, d.claim.Completed(closing))
}

// take claims the delivery: if its project is not held, where Centercode is needed, and
// alone, if it may have killed its last worker.
func (d *delivery) take(ctx context.Context, sends bool) (err error) {
	entry := d.known.Entry()
	if sends {
		if err := d.ask(ctx, entry); err != nil {
			if !d.heldTooLong() {
				return err
			}
			// It becomes a dead letter now, which requires a claim.
			claim, claimErr := d.known.Claim(ctx, d.about, false)
			d.claim = claim
			return errors.Join(err, claimErr)
		}
	}
	alone := suspect(entry)
	if alone {
		if err := d.becomeAlone(ctx); err != nil {
			return err
		}
	}
	d.claim, err = d.known.Claim(ctx, d.about, alone)
	return err
}

// prepare decodes and maps the event. It sends and writes nothing: its error, or a bug, is
// handled once the delivery is claimed.
func (d *delivery) prepare(envelope queue.Envelope, malformed error) (err error) {
	stage := queue.StageDecode
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
		err = failed(stage, err)
	}()
	if malformed != nil {
		return malformed
	}
	event, err := testfairy.Decode(envelope.Event)
	if err != nil {
		return err
	}
	d.out.Kind = event.Kind
	d.likeness = event.Likeness()
	d.about = aboutOf(event, d.ForgetTexts)
	d.about.ReceivedAt = d.receivedAt

	stage = queue.StageMap
	d.request, err = d.Mapper.Map(mapping.Input{
		Event: event, DeliveryID: envelope.DeliveryID, ReceivedAt: envelope.ReceivedAt,
	})
	return err
}

// copyOf returns what the ledger needs to know about a message.
func copyOf(m events.SQSMessage) ledger.Message {
	generation, marked := queue.Generation(m.MessageAttributes)
	copied := ledger.Message{Generation: generation, Marked: marked}
	if millis, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		copied.SentAt = time.UnixMilli(millis).UTC()
	}
	return copied
}

// keep renews the lease and the message's visibility timeout while the delivery is
// processed, both for the lease's length, so that after a crash both end at about the same
// time. The context ends when another worker has the lease.
func (d *delivery) keep(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		every := time.NewTicker(ledger.Lease / 3)
		defer every.Stop()
		for {
			// The next turn makes up for a failure, which is harmless until then: the
			// message would only be visible too early, and be held.
			_ = d.hide(ctx, ledger.Lease)
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			if err := d.claim.Renew(ctx); errors.Is(err, ledger.ErrConflict) {
				cancel(err)
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-stopped
	}
}
