package centercode

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The operations that an [Error] names.
const (
	OpCreateTicket = "create ticket"
	OpAddFile      = "add file"
	OpFindTicket   = "find ticket"
	OpProbe        = "ask whether it is well"
)

// Error is a request to Centercode that failed. Neither it nor what it wraps
// shows a query string or the API key.
type Error struct {
	Op string // OpCreateTicket, OpAddFile, OpFindTicket or OpProbe
	// Request is the method and path of the request, without a query; "" if none was
	// made.
	Request string
	// Status is the answer's HTTP status, 0 if there was no answer. It is 2xx
	// when the answer says success but cannot be understood, or refuses without a
	// status of its own; a refusal's own status stands in for the 2xx that it came
	// with.
	Status int
	// Description is what the answer says of the fault, at most 1,000 characters.
	Description string
	// RetryAfter is the wait that the answer asks for, at most an hour; 0 if it
	// asks for none. Cut says so where it asks for more.
	RetryAfter time.Duration
	Cut        string
	// Lost says that the request may have been carried out though its answer did
	// not arrive or cannot be read: no answer after the request's header was
	// written (of a file: after the end of its form was), a status that leaves a
	// doubt, such as 502 and 302, or a success that broke off, is a web page, or
	// holds a ticket and a refusal at once. Sending it again may do it twice. Never
	// set for a request that only reads.
	Lost bool
	// OwnFault says that it is a 500 in Centercode's own form: JSON with status and
	// description. It is believed to have done nothing, but that is not certain.
	OwnFault bool
	// Final says that the same request would fail the same way again, whatever the
	// status is: it can never be sent, was refused within a success, or looks for
	// what the data package does not have.
	Final bool
	Err   error // the cause where there is one beyond the answer
}

// Error says what was answered to which request or, without an answer, what was being
// done; then the description, a wait that was cut and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Status == 0:
		b.WriteString(strings.TrimSuffix(e.Op+": "+e.Request, ": "))
	case e.Request == "":
		fmt.Fprintf(&b, "%s: status %d", e.Op, e.Status)
	default:
		fmt.Fprintf(&b, "Centercode answered %d to %s", e.Status, e.Request)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Cut != "" {
		b.WriteString("; " + e.Cut)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return Redact(b.String())
}

// Unwrap returns the cause, without query strings.
func (e *Error) Unwrap() error { return e.Err }

// NotWell reports whether the answer, or that there was none, is that of a server
// that is not well, or does not take the key: then others fail the same way. A
// refusal of what was sent is not.
func (e *Error) NotWell() bool {
	switch e.Status {
	case 0:
		return !e.Final
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Lost || e.Status/100 == 3 || e.Status >= http.StatusInternalServerError
}

// Permanent reports whether the same request would fail the same way again, and
// did nothing. What is not known is not permanent.
func (e *Error) Permanent() bool { return e.Final || slices.Contains(refusals, e.Status) }

// What statuses mean of a request that changes something. Centercode documents
// 400 and 404; the others are HTTP's, RFC 9110 section 15.
var (
	// refusals are certain: the request was understood and not carried out.
	refusals = []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusGone,
		http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity,
	}
	// notNow did nothing either, but may go well another time or with another key.
	notNow = []int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusTooManyRequests, http.StatusServiceUnavailable,
	}
)

// leavesDoubt reports whether a request may have been carried out though it was
// answered with a status that is no success. A gateway that gave up says 502 or
// 504, a redirect follows what was done: what nobody knows is a doubt.
func leavesDoubt(status int) bool {
	return !slices.Contains(refusals, status) && !slices.Contains(notNow, status)
}
