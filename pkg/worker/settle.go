package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// settle reports the end of an attempt to the queue, the ledger and the reporter.
func (d *delivery) settle(ctx context.Context, err error) {
	var done *ledger.DoneError
	var held *ledger.HeldError
	var hold *holdError
	switch {
	case err == nil:
		return
	case errors.As(err, &done):
		d.out.Result, d.out.TicketID = Duplicate, done.Entry.TicketID
		return
	case errors.As(err, &held):
		d.putBack(ctx, HandedBack, d.heldFor(held), err)
		return
	case errors.As(err, &hold) && !d.heldTooLong():
		d.hold(ctx, hold)
		return
	}

	if errors.Is(err, errSlow) {
		if err = d.handOver(ctx); err == nil {
			return
		}
	}
	verdict := decide(err)
	if verdict.action == answerLost {
		verdict = d.lostAnswer(verdict, err)
	}
	if verdict.costs && d.exhausted() {
		verdict.action, verdict.reason = bury, exhaustedReason(err)
	}
	if (verdict.action == retry || verdict.action == handBack) && d.claim != nil && d.heldTooLong() {
		verdict.action, verdict.reason = bury, queue.ReasonHeldTooLong
	}
	if verdict.action == bury && !d.didNothing && d.claim != nil && d.claim.Entry().State == ledger.Creating {
		// Whatever else is wrong, there may be a ticket.
		verdict.reason = queue.ReasonAmbiguous
	}
	d.out.Status, d.out.Reason, d.out.Err = verdict.status, verdict.reason, err
	if step, ok := errors.AsType[*stepError](err); ok {
		d.out.Stage = step.stage
	}
	if bug, ok := errors.AsType[*panicError](err); ok {
		d.out.Stack = string(bug.stack)
	}
	if verdict.action == bury {
		buryErr := d.bury(ctx, verdict, err)
		if buryErr == nil {
			return
		}
		d.out.Reason = ""
		verdict, err = decide(buryErr), errors.Join(buryErr, err)
	}

	wait, costs := handBackWait(d.receives), time.Duration(0)
	if verdict.costs {
		wait = retryWait(d.waited(), d.receives)
		if hold, held := d.pass.Still(ctx); held && (hold.Open || hold.Paused) {
			// It may be the one that finds out that the project has recovered, so it waits no
			// longer than those that are held.
			d.waitsFor(hold)
			wait = min(wait, hold.Wait(d.Now(), d.receives))
		}
		costs = max(verdict.after, wait)
	}
	result := HandedBack
	if verdict.action == retry && !d.cutOff {
		result = Retry
	}
	d.putBack(ctx, result, max(verdict.after, wait), errors.Join(err, d.release(ctx, err, verdict, costs)))
}

// waited returns the sum of the delays after the delivery's own failed attempts.
func (d *delivery) waited() time.Duration {
	if d.claim == nil {
		return 0
	}
	return d.claim.Entry().Waited
}

// exhausted reports whether the delivery's patience is used up: the next failed attempt is
// then the last.
func (d *delivery) exhausted() bool { return d.claim != nil && d.waited() >= d.Patience }

// exhaustedReason returns the reason of the dead letter after the last attempt, depending
// on what failed.
func exhaustedReason(err error) queue.Reason {
	if attachment.IsSourceFault(err) {
		return queue.ReasonAttachmentSource
	}
	return queue.ReasonRetriesExhausted
}

// heldTooLong reports whether the message is close to the queue's retention period.
func (d *delivery) heldTooLong() bool {
	sent := copyOf(d.message).SentAt
	return d.HoldAtMost > 0 && !sent.IsZero() && d.Now().Sub(sent) >= d.HoldAtMost
}

// heldFor returns how long a message waits if another worker holds its delivery: it is a
// second copy, or the same message visible again too early. Most work takes a moment, so
// the first delay is short. Later ones last as long as the lease and the delay on top: a
// copy must not return again and again while a large attachment is uploaded.
func (d *delivery) heldFor(held *ledger.HeldError) time.Duration {
	wait := handBackWait(d.receives)
	if d.receives > 1 {
		// At most a lease, even if the clock has been set back since.
		wait += min(held.Until.Sub(d.Now()), ledger.Lease)
	}
	return wait
}

// lostAnswer returns what the route requires after a lost answer.
func (d *delivery) lostAnswer(v decision, cause error) decision {
	entry := d.claim.Entry()
	where, _ := d.sentTo(entry)
	var lost *lostAnswerError
	errors.As(cause, &lost)
	switch {
	case entry.State == ledger.Creating && where.Lookup != nil && !lost.noLookUp:
		// The next attempt looks it up, once Centercode has had time to finish what it may
		// still be doing.
		v.action, v.after = handBack, d.settles(entry, where.Lookup)
		v.costs = !lost.found
	case lost.again, lost.denied:
		// The next attempt sends the request again, because the route requires at least
		// once, or Centercode reported that it did nothing.
		v.action, v.costs, d.didNothing = retry, true, true
	default:
		v.action = bury
		return v
	}
	v.reason = ""
	return v
}

// bury keeps the message in the ledger, writes the dead letter, then records the delivery
// as dead: only then is the message done. If the worker dies before the last step, the
// message comes back and there are two letters of the same generation: a replay creates one
// ticket for both. After it, a copy of the message that comes back is recognised.
func (d *delivery) bury(ctx context.Context, v decision, cause error) error {
	// A worker that has lost the lease must not continue. And if this one dies now, the
	// next must not mistake a refusal for a lost answer.
	mark := d.claim.Renew
	if d.didNothing {
		mark = d.claim.NotSent
	}
	if err := mark(ctx); err != nil {
		return failed(queue.StageDeadLetter, err)
	}
	entry := d.claim.Entry()
	letter := queue.DeadLetter{
		DeliveryID:  d.out.DeliveryID,
		Event:       string(d.out.Kind),
		Reason:      v.reason,
		Stage:       d.out.Stage,
		Status:      v.status,
		Description: describe(cause),
		Attempts:    entry.Attempts,
		FailedAt:    d.Now(),
		Generation:  entry.Generation + 1,
		Replays:     queue.Replays(d.message.MessageAttributes),
	}
	var kept bytes.Buffer
	if err := (queue.Line{DeadLetter: letter, Body: d.message.Body}).Write(&kept); err != nil {
		return failed(queue.StageDeadLetter, err)
	}
	if err := d.claim.KeepLetter(ctx, kept.Bytes()); err != nil {
		return failed(queue.StageDeadLetter, err)
	}
	_, err := d.Queue.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:          aws.String(d.DeadLetterQueueURL),
		MessageBody:       aws.String(d.message.Body),
		MessageAttributes: letter.Attributes(),
	})
	if err != nil {
		return failed(queue.StageDeadLetter, err)
	}
	if err := d.claim.Died(ctx, d.fault(cause, v), d.didNothing); err != nil {
		return failed(queue.StageDeadLetter, err)
	}
	d.out.Result, d.out.TicketID = Dead, entry.TicketID
	return nil
}

// release ends the claim, if there is one and another worker does not have it. costs is the
// delay after a failed attempt of the delivery's own, otherwise 0.
func (d *delivery) release(ctx context.Context, cause error, v decision, costs time.Duration) error {
	if d.claim == nil || errors.Is(cause, ledger.ErrConflict) {
		return nil
	}
	return d.claim.Release(ctx, d.fault(cause, v), d.didNothing, costs)
}

func (d *delivery) fault(cause error, v decision) ledger.Fault {
	return ledger.Fault{
		Reason: string(v.reason), Stage: string(d.out.Stage), Status: v.status,
		Text: describe(cause), At: d.Now(),
	}
}

// putBack makes the message visible again after a while. If that fails, it comes back when
// its visibility timeout ends: later or sooner, but not never.
func (d *delivery) putBack(ctx context.Context, result Result, after time.Duration, cause error) {
	left := longest - d.Now().Sub(d.began) - time.Minute
	after = min(max(after, 0), left)
	d.out.Result, d.out.RetryIn, d.out.Err = result, after, cause
	if err := d.hide(ctx, after); err != nil {
		d.out.Err = errors.Join(cause, err)
	}
}

// hide sets the message's visibility timeout from now, in whole seconds.
func (d *delivery) hide(ctx context.Context, long time.Duration) error {
	_, err := d.Queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl:          aws.String(d.queueURL()),
		ReceiptHandle:     aws.String(d.message.ReceiptHandle),
		VisibilityTimeout: int32((long + time.Second - 1) / time.Second),
	})
	if err != nil {
		return fmt.Errorf("change the message's visibility: %w", err)
	}
	return nil
}

// describe returns an error's text for a dead letter: without a secret, and without the
// step, which is shown beside it. For a failed source it returns the reason only: the
// details, such as addresses, are for the log.
func describe(err error) string {
	if step, ok := errors.AsType[*stepError](err); ok {
		err = step.err
	}
	if f := takeApart(err); f.file != nil && f.source != nil {
		return queue.Describe(f.file.name + ": " + f.source.Reason)
	}
	return queue.Describe(centercode.Redact(err.Error()))
}
