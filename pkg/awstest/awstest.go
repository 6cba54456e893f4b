// Package awstest serves AWS calls over HTTP with functions that use the SDK's types, such
// as those of pkg/embedded, so that tests can use a real SDK client, or a real binary that
// contains one.
//
// It implements the parts of AWS's JSON protocols that the bridge's calls need. See
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
package awstest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// maxRequest has room for an SQS message of 1 MiB in which every character is escaped.
const maxRequest = 8 << 20

// Server maps each target, such as AmazonSQS.SendMessage, to its handler.
type Server map[string]http.Handler

// ServeHTTP answers one call.
func (s Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	serve, ok := s[target]
	if !ok {
		Refuse(w, "UnknownOperationException", target+" is not known here")
		return
	}
	serve.ServeHTTP(w, r)
}

// Call returns a handler that answers with call's output, or with the code of its error.
// The members of the JSON protocol are named like the SDK's fields, so encoding/json can
// translate them.
func Call[In, Out, Option any](call func(context.Context, *In, ...Option) (*Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := new(In)
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(in); err != nil {
			Refuse(w, "SerializationException", err.Error())
			return
		}
		out, err := call(r.Context(), in)
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			Refuse(w, api.ErrorCode(), api.ErrorMessage())
			return
		}
		if err != nil {
			fail(w, http.StatusInternalServerError, "InternalFailure", err.Error())
			return
		}
		answer(w, http.StatusOK, onTheWire(out))
	})
}

// Refuse answers with a client error.
func Refuse(w http.ResponseWriter, code, message string) {
	fail(w, http.StatusBadRequest, code, message)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]string{"__type": code, "message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error means that the client is gone
}

// onTheWire converts times to numbers, for the one response that contains a time.
func onTheWire(out any) any {
	parameter, ok := out.(*ssm.GetParameterOutput)
	if !ok {
		return out
	}
	var wire struct {
		Parameter struct {
			*types.Parameter
			LastModifiedDate float64
		}
	}
	wire.Parameter.Parameter = parameter.Parameter
	wire.Parameter.LastModifiedDate = float64(aws.ToTime(parameter.Parameter.LastModifiedDate).UnixMilli()) / 1000
	return wire
}
