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

// settle turns the end of an attempt into what the queue, the ledger and the
// reporter get to know of it.
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
	d.out.Status, d.out.Reason, d.out.Err = verdict.status, verdict.reason, err
	var step *stepError
	if errors.As(err, &step) {
		d.out.Stage = step.stage
	}
	if (verdict.action == retry || verdict.action == handBack) && d.claim != nil && d.heldTooLong() {
		verdict.action, verdict.reason, d.out.Reason = bury, queue.ReasonHeldTooLong, queue.ReasonHeldTooLong
	}
	if bug := (*panicError)(nil); errors.As(err, &bug) {
		d.out.Stack = string(bug.stack)
	}
	if verdict.action == bury && !d.didNothing && d.claim != nil && d.claim.Entry().State == ledger.Creating {
		// Whatever else is wrong, there may be a ticket.
		verdict.reason, d.out.Reason = queue.ReasonAmbiguous, queue.ReasonAmbiguous
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
		costs = max(verdict.after, wait)
	}
	result := HandedBack
	if verdict.action == retry && !d.cutOff {
		result = Retry
	}
	d.putBack(ctx, result, max(verdict.after, wait), errors.Join(err, d.release(ctx, err, verdict, costs)))
}

// waited is how long the delivery has waited after failed attempts of its own.
func (d *delivery) waited() time.Duration {
	if d.claim == nil {
		return 0
	}
	return d.claim.Entry().Waited
}

// exhausted says whether the delivery's patience is at its end: then the attempt
// that fails next is the last.
func (d *delivery) exhausted() bool { return d.claim != nil && d.waited() >= d.Patience }

// exhaustedReason is the reason of a dead letter whose delivery's patience is at
// its end: whose fault it was.
func exhaustedReason(err error) queue.Reason {
	if attachment.IsSourceFault(err) {
		return queue.ReasonAttachmentSource
	}
	return queue.ReasonRetriesExhausted
}

// heldTooLong says whether the queue would soon forget the message.
func (d *delivery) heldTooLong() bool {
	sent := copyOf(d.message).SentAt
	return d.HoldAtMost > 0 && !sent.IsZero() && d.Now().Sub(sent) >= d.HoldAtMost
}

// heldFor is how long a message waits whose delivery another worker has in hand:
// a second copy of it, or the same one seen again too early. Most work is done
// in a moment, so the first wait is short. The later ones last as long as the
// lease and the wait on top: a copy must not come again and again while a large
// attachment goes up.
func (d *delivery) heldFor(held *ledger.HeldError) time.Duration {
	wait := handBackWait(d.receives)
	if d.receives > 1 {
		// No longer than a lease, though the clock has been set back since.
		wait += min(held.Until.Sub(d.Now()), ledger.DefaultLease)
	}
	return wait
}

// lostAnswer says what the route wants done about an answer that was lost.
func (d *delivery) lostAnswer(v decision, cause error) decision {
	entry := d.claim.Entry()
	where, _ := d.sentTo(entry)
	var lost *lostAnswerError
	errors.As(cause, &lost)
	switch {
	case entry.State == ledger.Creating && where.Lookup != nil && !lost.noLookUp:
		// The next attempt looks it up, when Centercode has had time to finish
		// what it may still be doing.
		v.action, v.after = handBack, d.settles(entry, where.Lookup)
		v.costs = !lost.found
	case lost.again, lost.denied:
		// At least once, as the route wants it, or since Centercode says that it
		// has done nothing: the next attempt sends again.
		v.action, v.costs, d.didNothing = retry, true, true
	default:
		v.action = bury
		return v
	}
	v.reason = ""
	return v
}

// bury keeps the message in the ledger, writes the dead letter, then marks the
// delivery: only then is the message done. If the worker dies before the mark, the
// message comes back and there are two letters of the same generation: a replay
// makes one ticket of both. Once it is marked, a copy of the message that comes
// back is recognised.
func (d *delivery) bury(ctx context.Context, v decision, cause error) error {
	// Whoever has lost the lease has no word in it any more. And if the worker
	// dies now, the next one must not take a refusal for a lost answer.
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

// release gives up the claim; costs is how long after a failed attempt of its own,
// else 0. It is left alone when there is none, or when
// another has it.
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

// putBack lets the message be delivered again after a while. If that fails it
// comes back when its visibility timeout ends, which is later or sooner but not
// never.
func (d *delivery) putBack(ctx context.Context, result Result, after time.Duration, cause error) {
	left := longest - d.Now().Sub(d.began) - time.Minute
	after = min(max(after, 0), left)
	d.out.Result, d.out.RetryIn, d.out.Err = result, after, cause
	if err := d.hide(ctx, after); err != nil {
		d.out.Err = errors.Join(cause, err)
	}
}

// hide keeps the message invisible for that long from now, in whole seconds.
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

// describe is an error as people read it in a dead letter: without a secret, and
// without the step, which is said beside it. Of a source that failed it has the
// reason only: the detail, such as addresses, is for the log.
func describe(err error) string {
	var step *stepError
	if errors.As(err, &step) {
		err = step.err
	}
	var file *attachError
	var source *attachment.Error
	if errors.As(err, &file) && errors.As(err, &source) {
		return queue.Describe(file.name + ": " + source.Reason)
	}
	return queue.Describe(centercode.Redact(err.Error()))
}
