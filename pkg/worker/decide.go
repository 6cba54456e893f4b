package worker

import (
	"errors"
	"slices"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// action is what to do about a failed delivery.
type action int

const (
	// retry puts the message back; it is what unknown faults get.
	retry action = iota
	// handBack puts it back too, for a reason that is not the delivery's.
	handBack
	// bury sends a dead letter.
	bury
	// answerLost leaves it to the route: the request may have been carried out.
	answerLost
)

// decision is what a failed step means.
type decision struct {
	action action
	// reason is the dead letter's.
	reason queue.Reason
	// status is the HTTP status behind it, 0 if there was none.
	status int
	// after is how long to wait at least; 0 leaves it to the backoff.
	after time.Duration
	// costs says that it is a failed attempt of the delivery's own, whose wait costs
	// patience.
	costs bool
}

// decide says what a failed step means. It knows nothing but the error: what it
// does not recognise is a retry.
func decide(err error) decision {
	f := takeApart(err)
	i := slices.IndexFunc(rules, func(r rule) bool { return r.fits(f) })
	return rules[i].decision.of(f) // the last one fits anything
}

// of is the decision with what the failure says of itself.
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

// lostAnswerError says that a request may have been carried out though its
// answer never came.
type lostAnswerError struct {
	// found is true if it was an earlier attempt's, which the ledger tells.
	found bool
	// noLookUp is true if looking it up failed for good.
	noLookUp bool
	// denied is true if Centercode says itself that it has done nothing.
	denied bool
	// again is true if the route wants the request just sent once more.
	again bool
	err   error
}

func (e *lostAnswerError) Error() string {
	what := "the answer was lost"
	if e.found {
		what = "an earlier attempt ended between the request and its answer"
	}
	if e.denied && !e.found {
		what = "Centercode says that it failed, which is looked up"
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

// waitError says that the delivery cannot go on in this invocation.
type waitError struct {
	after time.Duration
	why   string
	// own says that it is the delivery's own doing, and will be again.
	own bool
}

func (e *waitError) Error() string { return e.why }
