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
	Failed   Result = "failed"   // ours or AWS's fault, answered 503
)

// Outcome is the one thing that ingest says of a request. It holds nothing that
// the caller wrote but the kind of the event, and only a kind that is known: no
// token, no payload, no email.
type Outcome struct {
	Result Result
	// Status is the HTTP status of the answer.
	Status int
	// Kind is empty when the request did not get as far, or the kind is unknown.
	Kind testfairy.Kind
	// DeliveryID is there for an accepted event, and for one that could not be
	// queued.
	DeliveryID string
	// Problem says in a few words why the request was not accepted.
	Problem string
	// Err is the cause of a failure, or of a token that could not be compared
	// with a fresh secret.
	Err error
	// Bytes is the length of the payload, after base64; 0 if it was not read.
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
