package ingest

import (
	"context"
	"time"

	"fairbridge/pkg/testfairy"
)

// Result is the outcome of one request.
type Result string

// The results.
const (
	Accepted Result = "accepted" // queued, answered 202
	Ignored  Result = "ignored"  // no route matches this kind, answered 200
	Rejected Result = "rejected" // the caller's fault, answered 4xx
	Failed   Result = "failed"   // ours or AWS's fault, answered 5xx
)

// Outcome is what ingest reports about a request. Of the caller's data it contains the kind
// of the event, if it is a documented one or one that a route names, and the names of
// fields: no token, and no value of a field.
type Outcome struct {
	Result Result
	// Status is the HTTP status of the answer.
	Status int
	// Kind is empty if the request did not get that far, or the kind is unknown.
	Kind testfairy.Kind
	// DeliveryID is set for an accepted event, and for one that could not be queued.
	DeliveryID string
	// Reason is why the request was not accepted.
	Reason Reason
	// Odd names the fields of an accepted event whose values are not as documented: the
	// mapping decides whether that matters.
	Odd []string
	// Fields names the fields of a refused payload, as far as they could be read.
	Fields []string
	// Err is the cause of a failure, or of a token that could not be compared with a fresh
	// secret.
	Err error
	// Bytes is the length of the payload as sent, compressed or not. If it was not read, it
	// is the declared length.
	Bytes int
	// Took is the time from the request to its answer.
	Took time.Duration
}

// Reporter receives each outcome once, before the answer is sent, possibly from several
// goroutines. It must not block for long, and cannot fail a request.
type Reporter interface {
	Report(context.Context, Outcome)
}
