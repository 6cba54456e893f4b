package attachment

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"fairbridge/pkg/internal/retryafter"
)

// What went wrong, in words that may be shown to anyone: they go into dead letters. They
// name at most the host of a file, and only if the host is the problem.
const (
	reasonForbidden   = "the source's address is not allowed"
	reasonMoved       = "the source redirected to an address that is not allowed"
	reasonTooLarge    = "the file is larger than the limit"
	reasonWebPage     = "a web page where a file was expected (a sign-in page?)"
	reasonSignIn      = "the source redirected to a sign-in page"
	reasonNotImage    = "the file is not a picture, and a picture was expected (TestFairy's end-to-end encryption may be on)"
	reasonRESTFailed  = "TestFairy's REST API refused the request"
	reasonEncoded     = "the source sent an encoding that was not requested"
	reasonDamaged     = "the source sent compressed data that is damaged"
	reasonExpired     = "the file's signed URL has expired"
	reasonRedirects   = "the source redirected too often"
	reasonRedirect    = "the source redirected without a location"
	reasonUnreachable = "the source could not be reached"
	reasonCertificate = "the source's certificate is not valid"
	reasonTimeout     = "the source was silent for too long"
	reasonBroken      = "the source broke off"
	reasonChanged     = "the file changed while it was read"
	reasonOverrun     = "the source sent more than it declared"
	reasonContext     = "the attempt ended before the file did"
)

var (
	errForbidden = errors.New("forbidden")
	errSilent    = errors.New("no progress within the idle timeout")
	errClosed    = errors.New("read of a closed file")
)

// Error is the error type for all faults of a source.
type Error struct {
	// Permanent means that retrying cannot help: the file does not exist, is not allowed,
	// or is not of the expected kind.
	Permanent bool
	// Status is the source's HTTP status if that was the fault, otherwise 0.
	Status int
	// SignIn means that the source requires credentials, or other ones: 401, 403, or a
	// sign-in page.
	SignIn bool
	// Expired means that the URL was signed for a time that is over. Where it came from
	// may have one with a new signature.
	Expired bool
	// RetryAfter is the delay that the source asked for; 0 if none.
	RetryAfter time.Duration
	// Reason is the fault in words that may be shown to anyone.
	Reason string
	// Err has the details, for the log only: host names, addresses, paths. URLs in it have
	// no query, since a signed URL is a secret.
	Err error

	// cutOff means that the attempt was ended, which is not the source's fault.
	cutOff bool
}

// IsSourceFault reports whether err is a fault of a file's source, temporary or not. An
// attempt that was cut off does not count.
func IsSourceFault(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && !e.cutOff
}

// Error is for the log, like Err. Use Reason for anything else.
func (e *Error) Error() string {
	if e.Err == nil {
		return "attachment source: " + e.Reason
	}
	return "attachment source: " + e.Reason + ": " + e.Err.Error()
}

// Unwrap returns the details.
func (e *Error) Unwrap() error { return e.Err }

func permanent(reason, format string, args ...any) *Error {
	return &Error{Permanent: true, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// forbidden returns the error for a URL that must not be fetched. Only the words of a
// refusal go into the reason: the parser's may quote the URL.
func forbidden(reason, where string, why error) *Error {
	if said, ok := why.(refusal); ok {
		return permanent(reason+": "+said.Error(), "%w %s", errForbidden, where)
	}
	return permanent(reason+": it cannot be read as a URL", "%w %s: %w", errForbidden, where, why)
}

func temporary(reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// statusError returns the error for an answer without the file. Unless the status is known
// to be final, it can be retried.
func statusError(resp *http.Response, t target) *Error {
	code := resp.StatusCode
	wait := retryafter.Read(resp.Header, time.Now())
	e := &Error{
		Permanent:  code >= 400 && code < 500,
		Status:     code,
		RetryAfter: wait.Granted,
		Reason:     "the source answered HTTP " + strconv.Itoa(code),
		Err:        fmt.Errorf("get %s: %s", t, resp.Status),
	}
	if t.moved {
		e.Reason += " after a redirect"
	}
	if cut := wait.String(); cut != "" {
		e.Reason += "; " + cut
	}
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.SignIn = true
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
		e.Permanent = false
	}
	return e
}

// transportError turns a network error into an *Error. The transport is used without an
// http.Client, so its errors contain no URL.
func transportError(ctx context.Context, t target, err error) *Error {
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	e := temporary(reasonUnreachable, "get %s: %w", t, err)
	var badCertificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errForbidden):
		e.Permanent, e.Reason = true, reasonForbidden
		if t.moved {
			e.Reason = reasonMoved
		}
		e.Reason += ": its host has an address that is not public"
	case errors.Is(context.Cause(ctx), errSilent):
		e.Reason = reasonTimeout
	case ctx.Err() != nil:
		e.Reason, e.cutOff = reasonContext, true
	case errors.As(err, &badCertificate):
		e.Reason = reasonCertificate
	case isTimeout(err):
		e.Reason = reasonTimeout
	}
	return e
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}
