package centercode

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The operations that an [Error] names.
const (
	OpCreateTicket = "create ticket"
	OpAddFile      = "add file"
	OpFindTicket   = "find ticket"
)

// Error is a request to Centercode that failed. Neither it nor what it wraps
// shows a query string or the API key.
type Error struct {
	Op string // OpCreateTicket, OpAddFile or OpFindTicket
	// Status is the answer's HTTP status, 0 if there was no answer. It is 2xx
	// when the answer says success but cannot be understood.
	Status int
	// Description is what the answer says of the fault, at most 1,000 characters.
	Description string
	// RetryAfter is the wait that the answer asks for, at most 12 hours; 0 if it
	// asks for none.
	RetryAfter time.Duration
	// Lost says that the request may have been carried out though its answer did
	// not arrive or cannot be read: no answer after the request's header was
	// written (of a file: after the end of its form was), 504, or a 2xx whose body
	// broke off or is not JSON. Sending it again may do it twice. Never set for a
	// request that only reads.
	Lost bool
	Err  error // the cause where there is one beyond the answer
}

// Error says what was being done, the status, the description and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return Redact(b.String())
}

// Unwrap returns the cause, without query strings.
func (e *Error) Unwrap() error { return e.Err }

// Permanent reports whether the same request would fail the same way again.
// What is not known is not permanent.
func (e *Error) Permanent() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict,
		http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// redactError returns err in a form that does not show the key or a query
// string. errors.Is sees through it.
func redactError(err error, key string) error {
	// *url.Error quotes the whole URL; what it wraps says the rest.
	for ue := (*url.Error)(nil); errors.As(err, &ue) && ue.Err != nil && err != ue.Err; {
		err = ue.Err
	}
	if text := redactKey(err.Error(), key); text != err.Error() {
		return &redacted{text: text, err: err}
	}
	return err
}

// redacted stands for an error whose own text must not be seen. It has neither
// Unwrap nor As, which would hand that text out.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
