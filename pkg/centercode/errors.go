package centercode

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The values of Error.Op.
const (
	OpCreateTicket = "create ticket"
	OpAddFile      = "add file"
	OpFindTicket   = "find ticket"
	OpProbe        = "probe Centercode"
)

// Error is a failed request to Centercode. Neither it nor the error that it wraps contains
// a query string or the API key.
type Error struct {
	Op string // OpCreateTicket, OpAddFile, OpFindTicket or OpProbe
	// Request is the method and path of the request, without a query; "" if none was
	// made.
	Request string
	// Status is the answer's HTTP status, 0 if there was no answer. It is 2xx if the answer
	// reports success but cannot be understood, or contains a refusal without a status; if
	// the refusal has a status, it replaces the 2xx.
	Status int
	// Description is the answer's message, at most 1,000 characters.
	Description string
	// RetryAfter is the delay that the answer asks for, at most an hour; 0 if none. Cut
	// describes a longer request that was shortened.
	RetryAfter time.Duration
	Cut        string
	// Lost means that the request may have been carried out although its answer did not
	// arrive or cannot be understood. That is so if there was no answer after the request's
	// header was written (for a file: after the end of its form was); if the status leaves
	// a doubt, as 502 and 302 do; or if a success broke off, is a web page, or contains
	// both a ticket and a refusal. Sending the request again may carry it out twice. It is
	// never set for a request that only reads.
	Lost bool
	// OwnFault means that the answer is a 500 in Centercode's own form: JSON with status
	// and description. It is assumed to have done nothing, but that is not certain.
	OwnFault bool
	// Final means that the same request would fail in the same way again, whatever the
	// status: it cannot be sent at all, was refused inside a success, or needs something
	// that the data package lacks.
	Final bool
	Err   error // the cause, if there is one besides the answer
}

// Error returns what was answered to which request or, without an answer, what was being
// done; then the description, a shortened delay and the cause.
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

// NotWell reports whether the server is failing or rejects the key, so that other requests
// would fail in the same way. A refusal of what was sent does not count.
func (e *Error) NotWell() bool {
	switch e.Status {
	case 0:
		return !e.Final
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Lost || e.Status/100 == 3 || e.Status >= http.StatusInternalServerError
}

// Permanent reports whether the same request would fail in the same way again, and did
// nothing. An unknown outcome is not permanent.
func (e *Error) Permanent() bool { return e.Final || slices.Contains(refusals, e.Status) }

// What statuses mean for a request that changes something. Centercode documents 400 and
// 404; the others are HTTP's (RFC 9110, section 15).
var (
	// refusals are certain: the request was understood and not carried out.
	refusals = []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusGone,
		http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity,
	}
	// notNow did nothing either, but may succeed later or with another key.
	notNow = []int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusTooManyRequests, http.StatusServiceUnavailable,
	}
)

// leavesDoubt reports whether a request may have been carried out despite a status other
// than success. A gateway that gave up answers 502 or 504, and a redirect may follow a
// change. Unknown statuses leave a doubt, too.
func leavesDoubt(status int) bool {
	return !slices.Contains(refusals, status) && !slices.Contains(notNow, status)
}
