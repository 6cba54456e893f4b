package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/testfairy"
)

// retryAfter is the Retry-After of a 503: SQS or SSM has usually recovered by then.
const retryAfter = 10 * time.Second

// fault is the reason why a request is not accepted.
type fault struct {
	status int
	reason Reason
	// detail is for the caller: what is wrong, where, and how to fix it.
	detail string
	// allow is the Allow header of a 405.
	allow string
	// cause is for the outcome, never for the caller.
	cause error
}

func (f *fault) result() Result {
	if f.status >= http.StatusInternalServerError {
		return Failed
	}
	return Rejected
}

// unavailable returns a fault of ours or of AWS. The caller can safely retry: an event
// becomes one ticket however often it is accepted.
func unavailable(reason Reason, detail string, cause error) *fault {
	return &fault{status: http.StatusServiceUnavailable, reason: reason, cause: cause,
		detail: fmt.Sprintf("%s Send it again in %d seconds; the same payload never makes two tickets.", detail, int(retryAfter.Seconds()))}
}

// notJSON returns the fault of a body that is not a JSON object, or nests too deep.
func notJSON(err error) *fault {
	f := &fault{status: http.StatusBadRequest, reason: ReasonNotJSON, detail: "The body must be one JSON object, as TestFairy sends it"}
	if syntax, ok := errors.AsType[*testfairy.SyntaxError](err); ok {
		f.detail += ", but " + syntax.Problem
		if syntax.Offset >= 0 {
			f.detail += fmt.Sprintf(" (at byte %d)", syntax.Offset)
		}
		if syntax.TooDeep {
			f.reason = ReasonTooDeep
		}
	}
	f.detail += "."
	return f
}

func tooLarge() *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, reason: ReasonTooLarge,
		detail: fmt.Sprintf("The payload has more than %d bytes, which is the limit. Shorten its longest field.", MaxPayloadBytes)}
}

// problem is an RFC 9457 problem document. Its type is about:blank, so the status
// identifies the problem, and the title is the status's own phrase. See
// https://www.rfc-editor.org/rfc/rfc9457
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// receipt is the answer to an accepted event.
type receipt struct {
	DeliveryID string    `json:"deliveryId"`
	Warnings   []warning `json:"warnings,omitempty"`
}

// warning names one odd field, in the form that RFC 9457 uses for errors.
type warning struct {
	Detail string `json:"detail"`
	// Pointer is a JSON pointer to the field, as a URI fragment. The names of documented
	// fields need no escaping. See https://www.rfc-editor.org/rfc/rfc6901#section-6
	Pointer string `json:"pointer"`
}

// response returns the answer for the caller.
func (f *fault) response() events.APIGatewayV2HTTPResponse {
	doc := problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.detail}
	r := response(f.status, "application/problem+json", doc)
	if f.allow != "" {
		r.Headers["Allow"] = f.allow
	}
	if f.status == http.StatusServiceUnavailable {
		r.Headers["Retry-After"] = strconv.Itoa(int(retryAfter.Seconds()))
	}
	return r
}

func ignored() events.APIGatewayV2HTTPResponse {
	return response(http.StatusOK, "application/json", map[string]string{"status": "ignored"})
}

func accepted(deliveryID string, odd []testfairy.Oddity) events.APIGatewayV2HTTPResponse {
	doc := receipt{DeliveryID: deliveryID}
	for _, o := range odd {
		doc.Warnings = append(doc.Warnings, warning{Detail: o.Field + " " + o.Problem, Pointer: "#/" + o.Field})
	}
	return response(http.StatusAccepted, "application/json", doc)
}

func response(status int, contentType string, body any) events.APIGatewayV2HTTPResponse {
	text, _ := json.Marshal(body) // it contains only strings and numbers, which cannot fail
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers: map[string]string{
			"Content-Type":           contentType,
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
		},
		Body: string(text),
	}
}
