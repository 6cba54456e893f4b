// Package lambdatest runs a function's binary as AWS Lambda does: it builds it as for a
// deployment, starts it, and sends it events through the runtime API.
package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxAnswer is Lambda's limit for a response. See
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxAnswer = 6 << 20

// FunctionError is the error of a failed invocation.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error implements error.
func (e *FunctionError) Error() string { return "function error " + e.Type + ": " + e.Message }

// invocation is one event and its response.
type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan answer
}

type answer struct {
	body []byte
	err  error
}

// runtime is the runtime API of one process.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtime struct {
	mux     *http.ServeMux
	polled  chan struct{} // closed at the first poll: the end of init
	waiting chan *invocation

	mu        sync.Mutex
	firstPoll time.Time
	running   map[string]*invocation
	initError error
	next      int
}

func newRuntime() *runtime {
	r := &runtime{
		mux:     http.NewServeMux(),
		polled:  make(chan struct{}),
		waiting: make(chan *invocation),
		running: map[string]*invocation{},
	}
	const api = "/2018-06-01/runtime/"
	r.mux.HandleFunc("GET "+api+"invocation/next", r.serveNext)
	r.mux.HandleFunc("POST "+api+"invocation/{id}/response", r.serveAnswer)
	r.mux.HandleFunc("POST "+api+"invocation/{id}/error", r.serveAnswer)
	r.mux.HandleFunc("POST "+api+"init/error", r.serveInitError)
	return r
}

// serveNext serves the next event, and blocks until there is one.
func (r *runtime) serveNext(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if r.firstPoll.IsZero() {
		r.firstPoll = time.Now()
		close(r.polled)
	}
	r.mu.Unlock()
	select {
	case <-req.Context().Done(): // the process has exited
	case i := <-r.waiting:
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Lambda-Runtime-Aws-Request-Id", i.id)
		header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		header.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
		header.Set("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
		_, _ = w.Write(i.event) // if the process has exited, Invoke notices
	}
}

// serveAnswer receives the response to an event, success or failure.
func (r *runtime) serveAnswer(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxAnswer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	r.mu.Lock()
	i := r.running[req.PathValue("id")]
	delete(r.running, req.PathValue("id"))
	r.mu.Unlock()
	if i == nil {
		http.Error(w, "no such invocation", http.StatusBadRequest)
		return
	}
	a := answer{body: body}
	if strings.HasSuffix(req.URL.Path, "/error") {
		a.err = functionError(body)
	}
	i.answer <- a
	w.WriteHeader(http.StatusAccepted)
}

func (r *runtime) serveInitError(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, req.Body, maxAnswer))
	r.mu.Lock()
	r.initError = functionError(body)
	r.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func functionError(body []byte) error {
	var e FunctionError
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("function error that is not JSON: %w", err)
	}
	return &e
}

// invoke sends an event to the process and waits for its response.
func (r *runtime) invoke(ctx context.Context, event []byte, exited <-chan struct{}) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("lambdatest: an invocation needs a deadline, as Lambda gives it one")
	}
	r.mu.Lock()
	r.next++
	i := &invocation{id: fmt.Sprintf("request-%d", r.next), event: event, deadline: deadline, answer: make(chan answer, 1)}
	r.running[i.id] = i
	r.mu.Unlock()
	select {
	case r.waiting <- i:
	case <-exited:
		return nil, errExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-i.answer:
		return a.body, a.err
	case <-exited:
		return nil, errExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
