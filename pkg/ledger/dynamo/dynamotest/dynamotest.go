// Package dynamotest is a fake of a single DynamoDB table over HTTP, for tests that use the
// real SDK client, or a complete binary, without a network.
//
// It implements the operations and condition expressions that the ledger uses, in the JSON
// protocol, and refuses everything else.
package dynamotest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Server is a table with the partition key id (S).
type Server struct {
	// URL is the endpoint, on loopback.
	URL string
	// CloseClientConnections closes every connection to the server.
	CloseClientConnections func()

	http  *http.Client
	table string

	mu       sync.Mutex
	items    map[string]item // by id
	before   map[string]item // each item before its last change
	faults   []Fault
	requests []Request
}

// Request is a call as received.
type Request struct {
	Operation string
	Body      string
}

// Fault makes one call fail.
type Fault struct {
	// Status is the response's HTTP status; 0 closes the connection instead.
	Status int
	// Type is the response's error type, such as InternalServerError.
	Type string
	// CarriedOut carries the call out, and then loses the response.
	CarriedOut bool
}

// Start starts a server for the named table, which stops when the test ends.
func Start(tb testing.TB, table string) *Server {
	s := &Server{table: table, items: map[string]item{}, before: map[string]item{}}
	srv := httptest.NewServer(s)
	tb.Cleanup(srv.Close)
	s.URL, s.http, s.CloseClientConnections = srv.URL, srv.Client(), srv.CloseClientConnections
	return s
}

// Client returns a real SDK client of the server. It tries a call up to three times, as the
// SDK does by default, but without delays.
func (s *Server) Client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(s.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "key", ""),
		HTTPClient:   s.http,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff, o.RateLimiter = time.Microsecond, ratelimit.None
		}),
	})
}

// Fail makes the next calls fail, one for each fault.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Requests returns the calls so far, including failed ones.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// maxRequest is well above the 400 KB of an item.
const maxRequest = 4 << 20

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	operation, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	answer, fault := s.call(Request{Operation: operation, Body: string(body)})
	if fault != nil && fault.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusOK
	if fault != nil {
		status, answer = fault.Status, &failure{Type: errorPrefix + fault.Type, Message: "a fault on request"}
	} else if _, failed := answer.(*failure); failed {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// call carries out one request, unless a fault prevents it.
func (s *Server) call(r Request) (answer any, fault *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if len(s.faults) > 0 {
		fault, s.faults = &s.faults[0], s.faults[1:]
	}
	if fault == nil || fault.CarriedOut {
		answer = s.carryOut(r)
	}
	return answer, fault
}
