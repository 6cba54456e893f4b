package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
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
	// summary is for the outcome: a few fixed words and names of fields.
	summary string
	// detail is for the caller: what is wrong, where, and how to mend it.
	detail string
	// fields is every field that is wrong.
	fields []testfairy.FieldError
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
func unavailable(summary, detail string, cause error) *fault {
	return &fault{status: http.StatusServiceUnavailable, summary: summary, cause: cause,
		detail: fmt.Sprintf("%s Send it again in %d seconds; the same payload never makes two tickets.", detail, int(retryAfter.Seconds()))}
}

// invalid is the fault of a payload that cannot be decoded or fails its checks.
func invalid(err error) *fault {
	if bad, ok := errors.AsType[*testfairy.ValidationError](err); ok {
		names := make([]string, len(bad.Fields))
		for i, field := range bad.Fields {
			names[i] = field.Field
		}
		return &fault{status: http.StatusBadRequest, summary: "invalid fields: " + strings.Join(names, ", "), fields: bad.Fields,
			detail: "The payload has fields that cannot be used; each one is listed under errors. Mend them and send it again."}
	}
	detail := "The body must be one JSON object, as TestFairy sends it"
	if syntax, ok := errors.AsType[*testfairy.SyntaxError](err); ok {
		detail += ", but " + syntax.Problem
		if syntax.Offset >= 0 {
			detail += fmt.Sprintf(" (at byte %d)", syntax.Offset)
		}
	}
	return &fault{status: http.StatusBadRequest, summary: "not a JSON object", detail: detail + "."}
}

// problem is an RFC 9457 problem document. Its type is about:blank: the status
// says which problem it is, and the title is the status's own phrase.
// https://www.rfc-editor.org/rfc/rfc9457
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Errors []problemField `json:"errors,omitempty"`
}

// problemField names one bad field, in the form of RFC 9457's own example.
type problemField struct {
	Detail  string `json:"detail"`
	Pointer string `json:"pointer"`
}

// response is the fault as the caller sees it.
func (f *fault) response() events.APIGatewayV2HTTPResponse {
	doc := problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.detail}
	for _, field := range f.fields {
		doc.Errors = append(doc.Errors, problemField{Detail: field.Field + " " + field.Problem, Pointer: pointer(field.Field)})
	}
	r := response(f.status, "application/problem+json", doc)
	if f.allow != "" {
		r.Headers["Allow"] = f.allow
	}
	if f.status == http.StatusServiceUnavailable {
		r.Headers["Retry-After"] = strconv.Itoa(int(retryAfter.Seconds()))
	}
	return r
}

// success is the answer to an event that was accepted or ignored.
func success(o Outcome) events.APIGatewayV2HTTPResponse {
	if o.Result == Ignored {
		return response(o.Status, "application/json", map[string]string{"status": "ignored"})
	}
	return response(o.Status, "application/json", map[string]string{"deliveryId": o.DeliveryID})
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

// pointer is a JSON pointer to a top-level member, as a URI fragment.
// https://www.rfc-editor.org/rfc/rfc6901#section-6
func pointer(field string) string {
	return "#/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(field)
}
