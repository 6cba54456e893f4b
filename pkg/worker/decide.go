package worker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// action is what to do about a failed delivery.
type action int

const (
	// retry puts the message back; unknown failures are retried.
	retry action = iota
	// handBack puts it back as well, for a reason that is not the delivery's.
	handBack
	// bury writes a dead letter.
	bury
	// answerLost leaves the decision to the route: the request may have been carried out.
	answerLost
)

// decision is what to do after a failed step.
type decision struct {
	action action
	// reason is that of the dead letter.
	reason queue.Reason
	// status is the HTTP status behind it, 0 if there was none.
	status int
	// after is the minimum delay; 0 leaves it to the backoff.
	after time.Duration
	// costs means that it is a failed attempt of the delivery's own, whose delay counts
	// towards patience.
	costs bool
}

// decide returns what to do after a failed step. It depends only on the error: what it does
// not recognise is a retry.
func decide(err error) decision {
	f := takeApart(err)
	i := slices.IndexFunc(rules, func(r rule) bool { return r.fits(f) })
	return rules[i].decision.of(f) // the last rule applies to anything
}

// of adds the failure's own details to the decision.
func (d decision) of(f *failure) decision {
	var after time.Duration
	switch {
	case f.source != nil:
		d.status, after = f.source.Status, f.source.RetryAfter
	case f.api != nil:
		d.status, after = f.api.Status, f.api.RetryAfter
	case f.wait != nil:
		after = f.wait.after
	}
	if d.action != bury && !errors.Is(f.err, ledger.ErrConflict) {
		d.after = after
	}
	d.costs = d.action == retry || d.action == handBack && f.wait != nil && f.wait.own
	return d
}

// lostAnswerError means that a request may have been carried out although its answer never
// arrived.
type lostAnswerError struct {
	// found is set if it was an earlier attempt's request, as recorded in the ledger.
	found bool
	// noLookUp is set if the look-up failed permanently.
	noLookUp bool
	// denied is set if Centercode itself reported that it did nothing.
	denied bool
	// again is set if the route says to send the request again.
	again bool
	err   error
}

func (e *lostAnswerError) Error() string {
	what := "the answer was lost"
	if e.found {
		what = "an earlier attempt ended between the request and its answer"
	}
	if e.denied && !e.found {
		what = "Centercode reported a failure, which a look-up verifies"
	}
	if e.noLookUp {
		what += ", and it cannot be looked up"
	}
	if e.err == nil {
		return what
	}
	return what + ": " + e.err.Error()
}

func (e *lostAnswerError) Unwrap() error { return e.err }

// finalError is a finding of the worker's own, for which the delivery becomes a dead letter
// with that reason.
type finalError struct {
	reason queue.Reason
	why    string
}

func (e *finalError) Error() string { return e.why }

func final(reason queue.Reason, format string, args ...any) error {
	return &finalError{reason: reason, why: fmt.Sprintf(format, args...)}
}

// waitError means that the delivery cannot continue in this invocation.
type waitError struct {
	after time.Duration
	why   string
	// own means that the delivery itself is the cause, and will be again.
	own bool
}

func (e *waitError) Error() string { return e.why }
