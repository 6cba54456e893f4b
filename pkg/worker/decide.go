package worker

import (
	"errors"
	"net/http"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
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

// decision is one row of the table in docs/failure-modes.md.
type decision struct {
	action action
	// reason is the dead letter's.
	reason queue.Reason
	// status is the HTTP status behind it, 0 if there was none.
	status int
	// after is how long to wait at least; 0 leaves it to the backoff.
	after time.Duration
	// overloaded asks the batch's other records not to start.
	overloaded bool
}

// decide says what a failed step means. It knows nothing but the error: what it
// does not recognise is a retry.
func decide(err error) decision {
	var (
		lost     *lostAnswerError
		wait     *waitError
		api      *centercode.Error
		source   *attachment.Error
		field    *mapping.FieldError
		endpoint *endpointError
		syntax   *testfairy.SyntaxError
	)
	switch {
	case errors.Is(err, ledger.ErrConflict):
		// Whatever else happened: another has the delivery now.
		return decision{action: handBack}
	case errors.As(err, &lost):
		d := decision{action: answerLost, reason: queue.ReasonAmbiguous}
		if errors.As(err, &api) {
			d.status = api.Status
		}
		return d
	case errors.As(err, &wait):
		return decision{action: handBack, after: wait.after}
	case errors.As(err, &source):
		return decideSource(source)
	case errors.As(err, &api):
		return decideCentercode(api)
	case errors.Is(err, queue.ErrMalformed), errors.As(err, &syntax):
		return decision{action: bury, reason: queue.ReasonMalformed}
	case errors.Is(err, mapping.ErrNoRoute):
		return decision{action: bury, reason: queue.ReasonUnroutable}
	case errors.As(err, &field):
		return decision{action: bury, reason: queue.ReasonMapping}
	case errors.As(err, &endpoint):
		return decision{action: bury, reason: queue.ReasonAttachmentEndpoint}
	}
	return decision{action: retry}
}

// decideCentercode reads an answer of Centercode. What its statuses mean is in
// Centercode's help article on TestFairy feedback: 400 is most often an invalid
// submitter, 404 a changed key and so a changed endpoint.
func decideCentercode(e *centercode.Error) decision {
	d := decision{action: retry, status: e.Status, after: e.RetryAfter}
	switch {
	case e.Status == http.StatusNotFound:
		d.action, d.reason, d.after = bury, queue.ReasonNotFound, 0
	case e.Permanent():
		d.action, d.reason, d.after = bury, queue.ReasonRejected, 0
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable:
		d.overloaded = true
	}
	return d
}

func decideSource(e *attachment.Error) decision {
	if e.Permanent {
		return decision{action: bury, reason: queue.ReasonAttachmentSource, status: e.Status}
	}
	return decision{action: retry, status: e.Status, after: e.RetryAfter}
}

// lostAnswerError says that a request may have been carried out though its
// answer never came.
type lostAnswerError struct {
	// found is true if it was an earlier attempt's, which the ledger tells.
	found bool
	// noLookUp is true if looking it up failed for good.
	noLookUp bool
	err      error
}

func (e *lostAnswerError) Error() string {
	what := "the answer was lost"
	if e.found {
		what = "an earlier attempt ended between the request and its answer"
	}
	if e.noLookUp {
		what += ", and looking it up failed"
	}
	if e.err == nil {
		return what
	}
	return what + ": " + e.err.Error()
}

func (e *lostAnswerError) Unwrap() error { return e.err }

// waitError says that the delivery cannot go on now, by no fault of its own.
type waitError struct {
	after time.Duration
	why   string
}

func (e *waitError) Error() string { return e.why }

// endpointError says that Centercode named no place for an attachment.
type endpointError struct {
	element    string
	answerKeys []string
}
