package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"fairbridge/pkg/ingest"
)

// Fixed quotas of an HTTP API. See
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxRequestHead     = 10240 // request line and headers
	integrationTimeout = 30 * time.Second
)

// HTTPHandler answers one request of an HTTP API, payload format 2.0.
type HTTPHandler interface {
	// Handle answers a request. An error, or an invalid response, is answered as API
	// Gateway does.
	Handle(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	// Admit checks a request before any of its body is read. If it returns false, the
	// request is refused with that answer. It must return soon after its context has ended.
	Admit(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, bool)
}

// ListenerConfig configures a [Listener]. Only Handler is required.
type ListenerConfig struct {
	Handler HTTPHandler
	// Log receives one line for each request, without the query string, which contains the
	// token. nil for none.
	Log *slog.Logger
	// Timeout is the handler's timeout; the default is API Gateway's 30 s.
	Timeout time.Duration
	// Bodies is how many bodies of [ingest.MaxPayloadBytes] may be in memory at once;
	// shorter ones count by their length. A further request waits for up to 5 s, unread,
	// and is then answered 503. The default is [DefaultBodies].
	Bodies int
	// Refused is called for each request that the listener itself answers 4xx or 5xx, from
	// several goroutines. It must not block. May be nil.
	Refused func(ingest.Refusal)
	// Ready returns why no webhook can be accepted at the moment, for /readyz. If nil, the
	// listener is always ready.
	Ready func(context.Context) error
}

// Listener emulates an HTTP API of API Gateway with one Lambda integration, payload format
// 2.0: it turns each request into an event and the handler's response into an answer.
// Faults of the handler are answered as API Gateway does: 500 for an error, a panic or an
// invalid response, 503 after 30 s; 431 for a request head beyond its quota. Unlike there,
// a body is read only after the handler has admitted the request, and only far enough to
// see whether it is longer than [ingest.MaxPayloadBytes].
//
// As there, the handler's context does not end when the caller hangs up.
type Listener struct {
	config ListenerConfig
	bodies *bodyRoom
	ready  *readiness
}

// NewListener returns a listener.
func NewListener(c ListenerConfig) (*Listener, error) {
	if c.Handler == nil || c.Bodies < 0 {
		return nil, errors.New("embedded: a listener needs a Handler, and Bodies of at least 0")
	}
	if c.Timeout == 0 {
		c.Timeout = integrationTimeout
	}
	if c.Bodies == 0 {
		c.Bodies = DefaultBodies
	}
	return &Listener{config: c, bodies: newBodyRoom(c.Bodies), ready: &readiness{check: c.Ready}}, nil
}

// ServeHTTP answers one request.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.probe(w, r) {
		return
	}
	start := time.Now()
	id := uuid.NewString()
	w.Header().Set("Apigw-Requestid", id)
	e := exchange{listener: l, w: w, r: r, event: request(r, id, start)}
	err := e.serve()
	if l.config.Log == nil {
		return
	}
	log := l.config.Log.With("method", r.Method, "path", r.URL.Path, "status", e.status, "bytes", e.size,
		"took_ms", time.Since(start).Milliseconds(), "request_id", id)
	if panicked := (*panicError)(nil); errors.As(err, &panicked) {
		log = log.With("stack", string(panicked.stack))
	}
	if err != nil {
		log.Error("request", "err", err)
		return
	}
	log.Info("request")
}

// exchange is one request and its answer.
type exchange struct {
	listener *Listener
	w        http.ResponseWriter
	r        *http.Request
	event    events.APIGatewayV2HTTPRequest

	status int // the answer's
	size   int // of the body, as far as it was read
}

// serve answers the request. An error is a fault of this side.
func (e *exchange) serve() error {
	l := e.listener
	if headSize(e.r) > maxRequestHead {
		return e.refuse(http.StatusRequestHeaderFieldsTooLarge, ingest.ReasonHeadTooLarge)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.r.Context()), l.config.Timeout)
	defer cancel()
	var admitted bool
	refusal, err := call(func() (answer events.APIGatewayV2HTTPResponse, err error) {
		answer, admitted = l.config.Handler.Admit(ctx, e.event)
		return answer, nil
	})
	if err != nil {
		return e.fail(err)
	}
	if !admitted {
		e.leaveBody()
		return e.answer(refusal)
	}
	done, err := l.bodies.acquire(ctx, e.r.ContentLength)
	if err != nil {
		e.leaveBody()
		e.w.Header().Set("Retry-After", strconv.Itoa(int(busyRetryAfter.Seconds())))
		return e.refuse(http.StatusServiceUnavailable, ingest.ReasonTooBusy)
	}
	body, err := io.ReadAll(io.LimitReader(e.r.Body, ingest.MaxPayloadBytes+1))
	e.size = len(body)
	if err != nil { // the caller broke off, or the time is over
		done()
		return e.refuse(http.StatusBadRequest, ingest.ReasonBodyCutOff)
	}
	if len(body) > ingest.MaxPayloadBytes { // the handler reports that it is too long
		e.leaveBody()
	}
	setBody(&e.event, e.r, body)
	response, err := invoke(ctx, func() (events.APIGatewayV2HTTPResponse, error) {
		defer done() // after a timeout it may still run and hold the body
		return l.config.Handler.Handle(ctx, e.event)
	})
	if err != nil {
		return e.fail(err)
	}
	return e.answer(response)
}

// leaveBody closes the connection after the answer, so that the rest of the body is not
// read.
func (e *exchange) leaveBody() {
	if e.r.ContentLength != 0 {
		e.w.Header().Set("Connection", "close")
	}
}

var errIntegrationTimeout = errors.New("the handler did not answer in time")

// invoke calls the handler. If ctx ends first, it returns and leaves the handler running.
func invoke(ctx context.Context, handler func() (events.APIGatewayV2HTTPResponse, error)) (events.APIGatewayV2HTTPResponse, error) {
	var response events.APIGatewayV2HTTPResponse
	ended := make(chan error, 1)
	go func() {
		var err error
		response, err = call(handler)
		ended <- err
	}()
	select {
	case err := <-ended:
		return response, err
	case <-ctx.Done():
		return events.APIGatewayV2HTTPResponse{}, errIntegrationTimeout
	}
}

// fail answers for a handler that failed.
func (e *exchange) fail(err error) error {
	e.leaveBody()
	status := http.StatusInternalServerError
	if errors.Is(err, errIntegrationTimeout) {
		status = http.StatusServiceUnavailable
	}
	_ = e.refuse(status, ingest.ReasonHandlerFailed)
	return err
}

// refuse answers as API Gateway would, and reports it.
func (e *exchange) refuse(status int, reason ingest.Reason) error {
	e.status = status
	if e.listener.config.Refused != nil {
		size := max(e.size, int(e.r.ContentLength))
		e.listener.config.Refused(ingest.Refusal{At: time.Now(), Status: status, Reason: reason, Bytes: size})
	}
	e.w.Header().Set("Content-Type", "application/json")
	e.w.WriteHeader(status)
	_, _ = fmt.Fprintf(e.w, `{"message":%q}`, http.StatusText(status)) // the caller may have gone
	return nil
}

// answer writes the handler's response, whose body is text, or fails if it is invalid.
func (e *exchange) answer(response events.APIGatewayV2HTTPResponse) error {
	if response.StatusCode < 200 || response.StatusCode > 599 {
		return e.fail(fmt.Errorf("the handler's response has the status %d", response.StatusCode))
	}
	header := e.w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8") // unless it has its own
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	e.status = response.StatusCode
	e.w.WriteHeader(response.StatusCode)
	_, _ = io.WriteString(e.w, response.Body) // the caller may have gone, or this status has no body
	return nil
}
