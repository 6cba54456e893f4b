// Package awswire puts an HTTP server in front of functions that answer AWS
// calls in the SDK's types, such as those of pkg/embedded: so a test can point
// a real binary with a real SDK client at them.
//
// It speaks AWS's JSON protocols, and only the calls that the bridge makes.
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
package awswire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// maxRequest is above an SQS message of 1 MiB with everything escaped.
const maxRequest = 8 << 20

// SQS is what the bridge calls of SQS. *embedded.SQS satisfies it.
type SQS interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

// SSM is what the bridge calls of SSM. *embedded.SSM satisfies it.
type SSM interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Server answers calls, one handler a target such as AmazonSQS.SendMessage.
type Server struct {
	handlers map[string]http.HandlerFunc

	mu    sync.Mutex
	calls map[string]int
}

// New returns a server for the two services.
func New(queues SQS, parameters SSM) *Server {
	s := &Server{handlers: map[string]http.HandlerFunc{}, calls: map[string]int{}}
	register(s, "AmazonSQS.SendMessage", queues.SendMessage)
	register(s, "AmazonSQS.ReceiveMessage", queues.ReceiveMessage)
	register(s, "AmazonSQS.DeleteMessage", queues.DeleteMessage)
	register(s, "AmazonSQS.ChangeMessageVisibility", queues.ChangeMessageVisibility)
	register(s, "AmazonSSM.GetParameter", func(ctx context.Context, in *ssm.GetParameterInput, opts ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
		out, err := parameters.GetParameter(ctx, in, opts...)
		if err == nil && out.Parameter != nil {
			p := *out.Parameter
			p.LastModifiedDate = nil // on the wire it is a number, and nobody asks for it
			out = &ssm.GetParameterOutput{Parameter: &p}
		}
		return out, err
	})
	return s
}

// Calls returns how often a target was called.
func (s *Server) Calls(target string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[target]
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	s.mu.Lock()
	s.calls[target]++
	s.mu.Unlock()
	serve, ok := s.handlers[target]
	if !ok {
		fail(w, http.StatusBadRequest, "UnknownOperationException", target+" is not known here")
		return
	}
	serve(w, r)
}

// register serves target with call. The members of the JSON protocols have the
// names of the SDK's fields, so encoding/json translates them.
func register[In, Out, Option any](s *Server, target string, call func(context.Context, *In, ...Option) (*Out, error)) {
	s.handlers[target] = func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			fail(w, http.StatusBadRequest, "SerializationException", err.Error())
			return
		}
		in := new(In)
		if err := json.Unmarshal(body, in); err != nil {
			fail(w, http.StatusBadRequest, "SerializationException", err.Error())
			return
		}
		out, err := call(r.Context(), in)
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			fail(w, http.StatusBadRequest, api.ErrorCode(), api.ErrorMessage())
			return
		}
		if err != nil {
			fail(w, http.StatusInternalServerError, "InternalFailure", err.Error())
			return
		}
		answer(w, http.StatusOK, out)
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]string{"__type": code, "message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone: nobody to tell
}
