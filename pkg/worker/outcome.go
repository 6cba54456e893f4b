package worker

import (
	"context"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// Result is the result of one attempt on one message.
type Result string

// The results.
const (
	Created    Result = "created"     // the ticket and its attachments exist
	Duplicate  Result = "duplicate"   // was done before: nothing was sent
	Ignored    Result = "ignored"     // its route has ignore
	Retry      Result = "retry"       // a temporary failure: visible again after RetryIn
	Dead       Result = "dead_letter" // needs a person
	HandedOver Result = "handed_over" // the ticket exists; its files follow from the files queue
	HandedBack Result = "handed_back" // not started, or not finished in time: comes back
	Held       Result = "held"        // its project is open or paused: it waits, and nothing was tried
)

// Outcome is what the worker reports about an attempt. It contains no payload, no email and
// no secret.
type Outcome struct {
	Result     Result
	DeliveryID string
	// MessageID is SQS's id, which finds the message in AWS's own logs, and changes with
	// every redrive.
	MessageID string
	Kind      testfairy.Kind
	TicketID  string
	// Attempt counts from 1, over all messages of the delivery.
	Attempt int
	// Reason, Stage and Status describe a dead letter or a retry.
	Reason queue.Reason
	Stage  queue.Stage
	Status int
	// RetryIn is how long the message stays invisible.
	RetryIn time.Duration
	// Attachments and AttachmentBytes count what this attempt uploaded.
	Attachments     int
	AttachmentBytes int64
	// Skipped lists optional attachments that were left out, and why.
	Skipped []string
	// Age is the time since the webhook arrived, Took that of this attempt.
	Age, Took time.Duration
	// Files means that the message is in the files queue.
	Files bool
	// Hold is why deliveries were held, and Receipts are the receipt handles of their
	// messages, by message id: those of a batch that wait for the same project are one
	// outcome. A failed attempt has both as well if its project is open or paused: its delay
	// is then pointless once the project has recovered.
	Hold     breaker.Hold
	Receipts map[string]string
	// Err is the cause, redacted.
	Err error
	// Warning is a problem apart from the delivery, which did not stop it.
	Warning error
	// Stack is where the worker panicked, "" if it did not.
	Stack string
}

// Reporter receives each outcome, from several goroutines. It must not block for long: the
// message is deleted only after it returns.
type Reporter interface {
	Report(context.Context, Outcome)
}
