package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// delivery is one message in one attempt.
type delivery struct {
	*Handler
	// invocation is the context that the work's is made of. Its deadline can
	// move, when the embedded home stops.
	invocation context.Context
	gate       *gate
	message    events.SQSMessage
	// receives is how often the queue has handed the message out.
	receives int
	began    time.Time
	claim    *ledger.Claim
	request  mapping.Request
	// didNothing is true once the request that the ledger has announced is
	// known not to have been carried out. Until then it is in doubt.
	didNothing bool
	// cutOff is true if the invocation's time ended before the work did.
	cutOff bool
	out    Outcome
}

// stepError is a failed step.
type stepError struct {
	stage string
	err   error
}

func (e *stepError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// failed notes the step in err, unless a step within it has been noted.
func failed(stage string, err error) error {
	var step *stepError
	if err == nil || errors.As(err, &step) {
		return err
	}
	return &stepError{stage: stage, err: err}
}

// deliver takes one message as far as it gets.
func (h *Handler) deliver(ctx context.Context, shared *gate, message events.SQSMessage) Outcome {
	receives, err := strconv.Atoi(message.Attributes["ApproximateReceiveCount"])
	if err != nil {
		receives = 1
	}
	d := &delivery{
		Handler: h, invocation: ctx, gate: shared, message: message, receives: receives, began: h.Now(),
		out: Outcome{MessageID: message.MessageId, Attempt: receives},
	}
	work, stop := h.working(ctx)
	defer stop()
	err = d.run(work)
	d.cutOff = work.Err() != nil
	closing, cancel := d.closing(ctx)
	defer cancel()
	d.settle(closing, err)
	d.out.Took = h.Now().Sub(d.began)
	return d.out
}

// run takes the steps in their order. The lease is kept until it returns.
func (d *delivery) run(ctx context.Context) (err error) {
	stage := stageDecode
	defer func() {
		// One bad record must not take the batch's others with it.
		if p := recover(); p != nil {
			err = failed(stage, fmt.Errorf("panic: %v", p))
		}
	}()

	envelope, malformed := queue.Decode(d.message.Body)
	d.out.DeliveryID = envelope.DeliveryID
	if malformed != nil {
		// What is not ours has no delivery id; its content stands in, so that
		// its dead letter is written once as well.
		sum := sha256.Sum256([]byte(d.message.Body))
		d.out.DeliveryID = hex.EncodeToString(sum[:])
	} else {
		d.out.Age = d.began.Sub(envelope.ReceivedAt)
	}

	stage = stageClaim
	d.claim, err = d.Ledger.Claim(ctx, d.out.DeliveryID, queue.Generation(d.message.MessageAttributes))
	if err != nil {
		return failed(stage, err)
	}
	d.out.Attempt = d.claim.Entry().Attempts
	ctx, letGo := d.keep(ctx)
	defer letGo()

	stage = stageDecode
	if malformed != nil {
		return failed(stage, malformed)
	}
	event, err := testfairy.Decode(envelope.Event)
	if err != nil {
		return failed(stage, err)
	}
	d.out.Kind = event.Kind

	stage = stageMap
	d.request, err = d.Mapper.Map(mapping.Input{
		Event: event, DeliveryID: envelope.DeliveryID, ReceivedAt: envelope.ReceivedAt,
	})
	if err != nil && !errors.Is(err, mapping.ErrIgnored) {
		return failed(stage, err)
	}
	if err == nil {
		stage = stageCreate
		if err := d.ticket(ctx); err != nil {
			return err
		}
		stage = stageAttach
		if err := d.attachments(ctx); err != nil {
			return err
		}
		d.out.Result = Created
	} else {
		d.out.Result = Ignored
	}
	if d.claim.Entry().State == ledger.Completed {
		return nil // together with the ticket
	}
	closing, cancel := d.closing(ctx)
	defer cancel()
	return failed(stageComplete, d.claim.Completed(closing))
}

// keep holds the lease and the message's invisibility while the delivery is
// worked on, both for the lease's length: a crash lets go of both at about the
// same time. The context ends when another has the lease.
func (d *delivery) keep(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		every := time.NewTicker(d.Ledger.Lease() / 3)
		defer every.Stop()
		for {
			// A failure is made up for by the next turn, and harmless before
			// it: the message would only be seen too early, and be held.
			_ = d.hide(ctx, d.Ledger.Lease())
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
