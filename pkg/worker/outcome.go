package worker

import (
	"context"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// Result is what became of one message in one attempt.
type Result string

// The results.
const (
	Created    Result = "created"     // the ticket and its attachments are there
	Duplicate  Result = "duplicate"   // was done before: nothing was sent
	Ignored    Result = "ignored"     // its route says that nobody wants it
	Retry      Result = "retry"       // a passing fault: back in the queue until RetryIn has passed
	Dead       Result = "dead_letter" // needs a person
	HandedOver Result = "handed_over" // the ticket is there; its files follow from the files queue
	HandedBack Result = "handed_back" // not touched, or not finished in time: somebody takes it next
	Held       Result = "held"        // its project is not well, or paused: it waits, and nothing was tried
)

// Outcome is the one thing that the worker says of an attempt. It holds no
// payload, no email and no secret.
type Outcome struct {
	Result     Result
	DeliveryID string
	// MessageID is SQS's: it finds the message in AWS's own logs, and changes
	// with every redrive.
	MessageID string
	Kind      testfairy.Kind
	TicketID  string
	// Attempt counts from 1, over all the delivery's messages.
	Attempt int
	// Reason, Stage and Status say more of a dead letter or a retry.
	Reason queue.Reason
	Stage  queue.Stage
	Status int
	// RetryIn is how long the message stays invisible.
	RetryIn time.Duration
	// Attachments and AttachmentBytes count what this attempt uploaded.
	Attachments     int
	AttachmentBytes int64
	// Skipped says which optional attachments were left out, and why.
	Skipped []string
	// Age is the time since the webhook came in, Took that of this attempt.
	Age, Took time.Duration
	// Files says that the message is in the files queue.
	Files bool
	// Hold is why deliveries were held, and Receipts are the receipt handles of
	// their messages, by the messages' ids: those of a batch that wait for the same
	// project are one outcome.
	Hold     breaker.Hold
	Receipts map[string]string
	// Err is the cause, redacted.
	Err error
	// Warning is what went wrong beside the delivery, and was gone on without.
	Warning error
	// Stack is where the worker panicked, "" if it did not.
	Stack string
}

// Reporter is told each outcome, from many goroutines. It must not block for
// long: the message is deleted only after it returns.
type Reporter interface {
	Report(context.Context, Outcome)
}
