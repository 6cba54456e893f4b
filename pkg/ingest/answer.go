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

// retryAfter is what a 503 asks for: a throttled or failing SQS or SSM is most
// often back by then.
const retryAfter = 10 * time.Second

// fault is why a request is not accepted.
type fault struct {
	status int
	reason Reason
	// detail is for the caller: what is wrong, where, and how to mend it.
	detail string
	// allow is the Allow header of a 405.
	allow string
	// cause is for the outcome, and never for the caller.
	cause error
}

func (f *fault) result() Result {
	if f.status >= http.StatusInternalServerError {
		return Failed
	}
	return Rejected
}

// unavailable is a fault of ours or of AWS. The caller may send the same event
// again without harm: it becomes one ticket however often it is accepted.
func unavailable(reason Reason, detail string, cause error) *fault {
	return &fault{status: http.StatusServiceUnavailable, reason: reason, cause: cause,
		detail: fmt.Sprintf("%s Send it again in %d seconds; the same payload never makes two tickets.", detail, int(retryAfter.Seconds()))}
}

// notJSON is the fault of a body that is no JSON object, or nests too deep.
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
		detail: fmt.Sprintf("The payload has more than %d bytes, the most that is accepted. Shorten its longest field.", MaxPayloadBytes)}
}

// problem is an RFC 9457 problem document. Its type is about:blank: the status
// says which problem it is, and the title is the status's own phrase.
// https://www.rfc-editor.org/rfc/rfc9457
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// receipt is the answer to an event that was accepted.
type receipt struct {
	DeliveryID string    `json:"deliveryId"`
	Warnings   []warning `json:"warnings,omitempty"`
}

// warning names one odd field, in the form that RFC 9457 has for errors.
type warning struct {
	Detail string `json:"detail"`
	// Pointer is a JSON pointer to the field, as a URI fragment. The names of
	// documented fields need no escaping in it.
	// https://www.rfc-editor.org/rfc/rfc6901#section-6
	Pointer string `json:"pointer"`
}

// response is the fault as the caller sees it.
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
	text, err := json.Marshal(body)
	if err != nil { // cannot be: these are strings and numbers
		text = []byte("{}")
	}
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
