package embedded

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// An HTTP API's quotas, which cannot be changed.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxRequestBody     = 10 << 20
	maxRequestHead     = 10240 // request line and headers
	integrationTimeout = 30 * time.Second
)

// Listener plays an HTTP API of API Gateway with one Lambda integration, payload
// format 2.0: it turns each request into an event and the handler's response
// into an answer. What the handler does not answer well is answered as API
// Gateway does: 500 for an error, a panic or a response that makes no sense, 503
// after 30 s; 413 and 431 for a request beyond its quotas.
//
// As there, a caller that hangs up does not end the handler's context.
type Listener struct {
	Handler func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	// Function is the function's name, for its ARN in the context.
	Function string
	// Log gets one line a request, without the query string, since the token is
	// in it. nil for none.
	Log *slog.Logger
	// Timeout is what the handler is given; 0 means API Gateway's 30 s.
	Timeout time.Duration
}

// ServeHTTP answers one request.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := newID()
	w.Header().Set("Apigw-Requestid", id)
	status, size, err := l.serve(w, r, id, start)
	if l.Log == nil {
		return
	}
	log := l.Log.With("method", r.Method, "path", r.URL.Path, "status", status, "bytes", size,
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

// serve returns the status that was answered, the number of bytes of the
// request's body and what went wrong on this side.
func (l *Listener) serve(w http.ResponseWriter, r *http.Request, id string, now time.Time) (status, size int, err error) {
	if headSize(r) > maxRequestHead {
		return refuse(w, http.StatusRequestHeaderFieldsTooLarge), 0, nil
	}
	if r.ContentLength > maxRequestBody {
		return refuse(w, http.StatusRequestEntityTooLarge), 0, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(w, http.StatusRequestEntityTooLarge), len(body), nil
	}
	if err != nil { // the caller broke off, or its time is over
		return refuse(w, http.StatusBadRequest), len(body), nil
	}
	timeout := l.Timeout
	if timeout == 0 {
		timeout = integrationTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
	defer cancel()
	response, err := l.invoke(ctx, id, request(r, body, id, now))
	switch {
	case errors.Is(err, errIntegrationTimeout):
		return refuse(w, http.StatusServiceUnavailable), len(body), err
	case err != nil:
		return refuse(w, http.StatusInternalServerError), len(body), err
	}
	if err := answer(w, response); err != nil {
		return refuse(w, http.StatusInternalServerError), len(body), err
	}
	return response.StatusCode, len(body), nil
}

var errIntegrationTimeout = errors.New("the handler did not answer in time")

// invoke calls the handler, and leaves it running when ctx ends before it
// answers.
func (l *Listener) invoke(ctx context.Context, id string, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       id,
		InvokedFunctionArn: "arn:aws:lambda:" + Region + ":" + AccountID + ":function:" + l.Function,
	})
	type result struct {
		response events.APIGatewayV2HTTPResponse
		err      error
	}
	results := make(chan result, 1)
	go func() {
		response, err := call(ctx, l.Handler, event)
		results <- result{response, err}
	}()
	select {
	case r := <-results:
		return r.response, r.err
	case <-ctx.Done():
		return events.APIGatewayV2HTTPResponse{}, errIntegrationTimeout
	}
}

// refuse answers in API Gateway's own words and returns the status.
func refuse(w http.ResponseWriter, status int) int {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status)) // the caller may be gone
	return status
}

// answer writes the handler's response. If it returns an error, nothing has
// been written yet.
func answer(w http.ResponseWriter, response events.APIGatewayV2HTTPResponse) error {
	if response.StatusCode < 200 || response.StatusCode > 599 {
		return fmt.Errorf("the handler's response has the status %d", response.StatusCode)
	}
	body := []byte(response.Body)
	if response.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			return fmt.Errorf("the handler's response has a body that is not base64: %w", err)
		}
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8") // unless it has its own
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	for _, cookie := range response.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // the caller may be gone, or there is no body with this status
	return nil
}
