// Package ingest receives TestFairy's webhooks from an HTTP API and puts them on the queue.
// It answers 202 only for what is in the queue.
package ingest

import (
	"cmp"
	"context"
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

// Path is the path of the webhook.
const Path = "/webhooks/testfairy"

// MaxPayloadBytes is the maximum size of a payload, both as sent and after decompression.
// With its envelope it still fits into an SQS message of 1 MiB.
const MaxPayloadBytes = 1_000_000

// defaultTimeout is a little below the function's own 10 s, so that the caller gets a 503
// that says what to do, not API Gateway's bare 500.
const defaultTimeout = 8 * time.Second

// Sender puts a message on a queue. *sqs.Client implements it, and so does pkg/embedded.
// When it returns without an error, the message is durable.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Wants reports which kinds of events a route matches, including unknown ones.
// *mapping.Config implements it.
type Wants interface {
	Wants(testfairy.Kind) bool
}

// Config configures a [Handler]. All fields but Timeout and Now are required.
type Config struct {
	// QueueURL is the work queue.
	QueueURL string
	Sender   Sender
	// Secrets provides the webhook tokens.
	Secrets Secrets
	// Routes decides which events are ignored.
	Routes   Wants
	Reporter Reporter
	// Timeout bounds a request including secrets and queue; the default is 8 s.
	Timeout time.Duration
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Handler answers webhooks. It is safe for concurrent use.
type Handler struct {
	config Config
	tokens tokenCheck
}

// New returns a handler, or an error if a required field of c is missing.
func New(c Config) (*Handler, error) {
	if c.QueueURL == "" || c.Sender == nil || c.Secrets == nil || c.Routes == nil || c.Reporter == nil {
		return nil, errors.New("ingest: config needs QueueURL, Sender, Secrets, Routes and Reporter")
	}
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Handler{config: c, tokens: tokenCheck{secrets: c.Secrets, now: c.Now}}, nil
}

// Handle answers one request of an HTTP API, payload format 2.0. Its error is always nil:
// every outcome has an HTTP answer. See
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func (h *Handler) Handle(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	received := h.config.Now()
	work, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()

	var o Outcome
	answer, fault := h.accept(work, req, received, &o)
	if fault != nil {
		answer = fault.response()
	}
	h.report(ctx, received, &o, fault)
	return answer, nil
}

// Admit checks everything about a request except its body, for a caller that has not read
// the body yet. If it returns false, the request is refused with that answer, and has been
// reported. Otherwise [Handler.Handle] has to answer it.
func (h *Handler) Admit(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, bool) {
	received := h.config.Now()
	work, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	fault := h.admit(work, req)
	if fault == nil {
		return events.APIGatewayV2HTTPResponse{}, true
	}
	o := Outcome{Bytes: max(contentLength(req), 0)}
	h.report(ctx, received, &o, fault)
	return fault.response(), false
}

// report reports how a request ended; fault is nil if it was accepted or ignored.
func (h *Handler) report(ctx context.Context, received time.Time, o *Outcome, fault *fault) {
	if fault != nil {
		o.Result, o.Status, o.Reason, o.Err = fault.result(), fault.status, fault.reason, fault.cause
	}
	o.Took = h.config.Now().Sub(received)
	h.config.Reporter.Report(ctx, *o)
}

// admit checks a request's path, method, token and declared length, in the order that costs
// least and reveals least to strangers.
func (h *Handler) admit(ctx context.Context, req events.APIGatewayV2HTTPRequest) *fault {
	if f := checkRoute(req); f != nil {
		return f
	}
	if f := h.tokens.check(ctx, req.RawQueryString); f != nil {
		return f
	}
	if contentLength(req) > MaxPayloadBytes {
		return tooLarge()
	}
	return nil
}

// accept runs all checks on a request and queues its event.
func (h *Handler) accept(ctx context.Context, req events.APIGatewayV2HTTPRequest, received time.Time, o *Outcome) (events.APIGatewayV2HTTPResponse, *fault) {
	var none events.APIGatewayV2HTTPResponse
	if f := h.admit(ctx, req); f != nil {
		o.Bytes = max(contentLength(req), 0)
		return none, f
	}
	payload, f := readPayload(req, o)
	if f != nil {
		return none, f
	}
	event, err := testfairy.Decode(payload)
	if err != nil {
		o.Fields = testfairy.FieldNames(payload)
		return none, notJSON(err)
	}
	wanted := h.config.Routes.Wants(event.Kind)
	if wanted || event.Kind.Known() { // otherwise it is whatever the caller wrote
		o.Kind = event.Kind
	}
	if !wanted {
		o.Result, o.Status, o.Reason = Ignored, http.StatusOK, ReasonUnwanted
		if event.Kind == "" {
			o.Reason = ReasonNoEvent
		}
		return ignored(), nil
	}
	o.DeliveryID = event.DeliveryID()
	if f := h.enqueue(ctx, event, o.DeliveryID, received); f != nil {
		o.Fields = testfairy.FieldNames(payload)
		return none, f
	}
	odd := event.Odd()
	for _, field := range odd {
		o.Odd = append(o.Odd, field.Field)
	}
	o.Result, o.Status = Accepted, http.StatusAccepted
	return accepted(o.DeliveryID, odd), nil
}

// checkRoute compares the request with the only method and path. An HTTP API with a named
// stage puts the stage before the path.
func checkRoute(req events.APIGatewayV2HTTPRequest) *fault {
	path := req.RawPath
	if stage := req.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && strings.HasPrefix(rest, "/") {
			path = rest
		}
	}
	if strings.TrimSuffix(path, "/") != Path {
		return &fault{status: http.StatusNotFound, reason: ReasonUnknownPath,
			detail: "There is nothing at this path. Send webhooks to POST " + Path + "?token=..., and check the URL in TestFairy's integration."}
	}
	if req.RequestContext.HTTP.Method != http.MethodPost {
		return &fault{status: http.StatusMethodNotAllowed, reason: ReasonMethod, allow: http.MethodPost,
			detail: "Webhooks are sent to this path with POST."}
	}
	return nil
}

// enqueue puts the event on the queue, and returns once SQS has answered.
func (h *Handler) enqueue(ctx context.Context, event testfairy.Event, deliveryID string, received time.Time) *fault {
	body, err := queue.Envelope{DeliveryID: deliveryID, ReceivedAt: received, Event: event.JSON}.Encode()
	if errors.Is(err, queue.ErrTooLarge) {
		return &fault{status: http.StatusRequestEntityTooLarge, reason: ReasonTooLargeForQueue,
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
		return unavailable(ReasonNotQueued, "The event could not be queued.", fmt.Errorf("queue event: %w", err))
	}
	return nil
}
