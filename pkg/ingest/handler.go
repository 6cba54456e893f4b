// Package ingest takes TestFairy's webhooks from an HTTP API and puts them on
// the queue. What it has answered 202 is in the queue; what it could not queue
// it never calls accepted.
package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// Path is where webhooks are received.
const Path = "/webhooks/testfairy"

// MaxPayloadBytes is the longest payload that is read, after base64. With the
// envelope around it, it still fits in an SQS message of 1 MiB.
const MaxPayloadBytes = 1_000_000

// defaultTimeout is a little below the function's own 10 s: then the caller
// gets a 503 that says what to do, and not API Gateway's bare 500.
const defaultTimeout = 8 * time.Second

// Sender puts a message on a queue. *sqs.Client satisfies it, and so does
// pkg/embedded. When it returns without an error the message is durable.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Wants tells which kinds of events some route makes a ticket of.
// *mapping.Config satisfies it.
type Wants interface {
	Wants(testfairy.Kind) bool
}

// Config is what a [Handler] is made of. All but Timeout and Clock is required.
type Config struct {
	// QueueURL is the work queue.
	QueueURL string
	Sender   Sender
	// Secrets has the webhook tokens.
	Secrets Secrets
	// Routes decides what is ignored.
	Routes   Wants
	Reporter Reporter
	// Timeout bounds a request, secrets and queue together. Default 8 s.
	Timeout time.Duration
	// Clock replaces time.Now.
	Clock func() time.Time
}

// Handler answers webhooks. It may be used by many goroutines at once.
type Handler struct {
	config Config
	tokens tokenCheck
}

// New makes a handler. It fails if a required part of the config is missing.
func New(c Config) (*Handler, error) {
	if c.QueueURL == "" || c.Sender == nil || c.Secrets == nil || c.Routes == nil || c.Reporter == nil {
		return nil, errors.New("ingest: config needs QueueURL, Sender, Secrets, Routes and Reporter")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Handler{config: c, tokens: tokenCheck{secrets: c.Secrets, now: c.Clock}}, nil
}

// Handle answers one request of an HTTP API, payload format 2.0. Its error is
// always nil: whatever happens has an answer in HTTP.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func (h *Handler) Handle(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	received := h.config.Clock()
	work, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()

	var o Outcome
	var answer events.APIGatewayV2HTTPResponse
	if fault := h.accept(work, req, received, &o); fault != nil {
		o.Result, o.Status, o.Problem, o.Err = fault.result(), fault.status, fault.summary, fault.cause
		answer = fault.response()
	} else {
		answer = success(o)
	}
	o.Took = h.config.Clock().Sub(received)
	h.config.Reporter.Report(ctx, o)
	return answer, nil
}

// accept takes a request through all checks, in the order that costs least and
// tells a stranger least, and queues its event.
func (h *Handler) accept(ctx context.Context, req events.APIGatewayV2HTTPRequest, received time.Time, o *Outcome) *fault {
	if f := checkRoute(req); f != nil {
		return f
	}
	if f := h.tokens.check(ctx, req.RawQueryString); f != nil {
		return f
	}
	payload, f := readPayload(req)
	if f != nil {
		return f
	}
	o.Bytes = len(payload)
	event, err := testfairy.Decode(payload)
	if err != nil {
		return invalid(err)
	}
	if !event.Kind.Known() || !h.config.Routes.Wants(event.Kind) {
		if event.Kind.Known() {
			o.Kind = event.Kind
		}
		o.Result, o.Status, o.Problem = Ignored, http.StatusOK, "no route wants this kind"
		return nil
	}
	o.Kind = event.Kind
	if err := event.Validate(); err != nil {
		return invalid(err)
	}
	o.DeliveryID = event.DeliveryID()
	if f := h.enqueue(ctx, event, o.DeliveryID, received); f != nil {
		return f
	}
	o.Result, o.Status = Accepted, http.StatusAccepted
	return nil
}

// checkRoute holds the request against the one method and path there is. An
// HTTP API with a named stage puts the stage before the path.
func checkRoute(req events.APIGatewayV2HTTPRequest) *fault {
	path := req.RawPath
	if stage := req.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && strings.HasPrefix(rest, "/") {
			path = rest
		}
	}
	if path != Path {
		return &fault{status: http.StatusNotFound, summary: "unknown path",
			detail: "Nothing is received at this path. Send webhooks to POST " + Path + "?token=..., and check the URL in TestFairy's integration."}
	}
	if req.RequestContext.HTTP.Method != http.MethodPost {
		return &fault{status: http.StatusMethodNotAllowed, summary: "method not allowed", allow: http.MethodPost,
			detail: "Webhooks are sent to this path with POST."}
	}
	return nil
}

// readPayload gives the body's bytes. A body that is too long is not decoded.
func readPayload(req events.APIGatewayV2HTTPRequest) ([]byte, *fault) {
	size := len(req.Body)
	if req.IsBase64Encoded {
		unpadded := strings.TrimRight(req.Body, "=")
		size = base64.RawStdEncoding.DecodedLen(len(unpadded))
	}
	if size > MaxPayloadBytes {
		return nil, &fault{status: http.StatusRequestEntityTooLarge, summary: "payload too large",
			detail: fmt.Sprintf("The payload has %d bytes; at most %d are accepted. Shorten its longest field.", size, MaxPayloadBytes)}
	}
	if !req.IsBase64Encoded {
		return []byte(req.Body), nil
	}
	payload, err := base64.StdEncoding.DecodeString(req.Body)
	if err != nil {
		return nil, &fault{status: http.StatusBadRequest, summary: "invalid base64",
			detail: "The body came marked as base64 and is not. Send the JSON as it is, with Content-Type: application/json."}
	}
	return payload, nil
}

// enqueue puts the event on the queue, and returns only once SQS has answered.
func (h *Handler) enqueue(ctx context.Context, event testfairy.Event, deliveryID string, received time.Time) *fault {
	body, err := queue.Envelope{DeliveryID: deliveryID, ReceivedAt: received, Event: event.JSON}.Encode()
	if errors.Is(err, queue.ErrTooLarge) {
		return &fault{status: http.StatusRequestEntityTooLarge, summary: "payload too large for the queue",
			detail: "The payload does not fit in a queue message once its control characters are escaped. Shorten its longest field."}
	}
	if err == nil {
		_, err = h.config.Sender.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl:          aws.String(h.config.QueueURL),
			MessageBody:       aws.String(body),
			MessageAttributes: queue.DeliveryAttributes(deliveryID, string(event.Kind)),
		})
	}
	if err != nil {
		return unavailable("not queued", "The event could not be queued.", fmt.Errorf("queue event: %w", err))
	}
	return nil
}
