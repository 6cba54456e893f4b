// Package stacktest is a fake CloudFormation over HTTP, for tests that use the real SDK
// client, or the complete command, without a network.
//
// It implements DescribeStacks and DeleteStack in the query protocol, and refuses
// everything else. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
package stacktest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Stack is a stack as the server describes it.
type Stack struct {
	// Name is the stack's name, Status its status, such as CREATE_COMPLETE.
	Name, Status        string
	Outputs, Parameters map[string]string
}

// Server is a region with some stacks.
type Server struct{ stacks []*Stack }

// New returns a server with these stacks. A deleted stack gets the status DELETE_COMPLETE,
// and is found only by its id.
func New(stacks ...*Stack) *Server { return &Server{stacks: stacks} }

const gone = "DELETE_COMPLETE"

// Handles reports whether a request is for CloudFormation, for servers that fake several
// services.
func Handles(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Authorization"), "/cloudformation/aws4_request")
}

type described struct {
	XMLName xml.Name `xml:"DescribeStacksResponse"`
	Result  struct {
		Stacks []member `xml:"Stacks>member"`
	} `xml:"DescribeStacksResult"`
}

type deleted struct {
	XMLName xml.Name `xml:"DeleteStackResponse"`
}

type member struct {
	StackName    string
	StackId      string
	StackStatus  string
	CreationTime string
	Outputs      []output    `xml:"Outputs>member"`
	Parameters   []parameter `xml:"Parameters>member"`
}

type output struct{ OutputKey, OutputValue string }
type parameter struct{ ParameterKey, ParameterValue string }

type failure struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
}

// Failure returns the body of an error response.
func Failure(code, message string) any {
	return failure{Type: "Sender", Code: code, Message: message}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	name := r.FormValue("StackName")
	found := slices.IndexFunc(s.stacks, func(stack *Stack) bool {
		return stack.Name == name && stack.Status != gone || strings.Contains(name, ":stack/"+stack.Name+"/")
	})
	if found < 0 {
		answer(w, http.StatusBadRequest, Failure("ValidationError", fmt.Sprintf("Stack with id %s does not exist", name)))
		return
	}
	stack := s.stacks[found]
	switch r.FormValue("Action") {
	case "DescribeStacks":
	case "DeleteStack":
		stack.Status = gone
		answer(w, http.StatusOK, deleted{})
		return
	default:
		answer(w, http.StatusBadRequest, Failure("InvalidAction", "only DescribeStacks and DeleteStack are here"))
		return
	}
	m := member{StackName: stack.Name, StackId: "arn:aws:cloudformation:eu-central-1:123456789012:stack/" + stack.Name + "/1", StackStatus: cmp.Or(stack.Status, "CREATE_COMPLETE"), CreationTime: "2026-01-02T03:04:05Z"}
	for _, key := range slices.Sorted(maps.Keys(stack.Outputs)) {
		m.Outputs = append(m.Outputs, output{key, stack.Outputs[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(stack.Parameters)) {
		m.Parameters = append(m.Parameters, parameter{key, stack.Parameters[key]})
	}
	var d described
	d.Result.Stacks = []member{m}
	answer(w, http.StatusOK, d)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(body) // the client is gone
}
