package ingest

import (
	"context"
	"time"

	"fairbridge/pkg/testfairy"
)

// Result is what became of one request.
type Result string

// The results.
const (
	Accepted Result = "accepted" // queued, answered 202
	Ignored  Result = "ignored"  // no route wants this kind, answered 200
	Rejected Result = "rejected" // the caller's fault, answered 4xx
	Failed   Result = "failed"   // ours or AWS's fault, answered 5xx
)

// Outcome is the one thing that ingest says of a request. Of what the caller
// wrote it holds the kind of the event, if it is a documented one or one that a
// route names, and the names of fields: no token, no value of a field.
type Outcome struct {
	Result Result
	// Status is the HTTP status of the answer.
	Status int
	// Kind is empty when the request did not get as far, or nobody knows the
	// kind.
	Kind testfairy.Kind
	// DeliveryID is there for an accepted event, and for one that could not be
	// queued.
	DeliveryID string
	// Reason says why the request was not accepted.
	Reason Reason
	// Odd names the documented fields of an accepted event that are not as
	// documented: the mapping decides whether that matters.
	Odd []string
	// Fields names the fields of a payload that was refused, as far as they
	// could be read.
	Fields []string
	// Err is the cause of a failure, or of a token that could not be compared
	// with a fresh secret.
	Err error
	// Bytes is the length of the payload as it was sent, compressed or not. Of
	// one that was not read it is what the request declares.
	Bytes int
	// Took is the time from the request to its answer.
	Took time.Duration
}

// Reporter is told each outcome, once, before the answer leaves; from many
// goroutines when the requests come so. It must not block for long, and does
// not fail a request.
type Reporter interface {
	Report(context.Context, Outcome)
}
