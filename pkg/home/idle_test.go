package home

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// sources implements the queue and Lambda's API for event source mappings.
type sources struct {
	Queues
	states []string
	err    error
}

func (s sources) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"QueueArn": "arn:work"}}, nil
}

func (s sources) ListEventSourceMappings(_ context.Context, in *lambda.ListEventSourceMappingsInput, _ ...func(*lambda.Options)) (*lambda.ListEventSourceMappingsOutput, error) {
	out := &lambda.ListEventSourceMappingsOutput{}
	for _, state := range s.states {
		out.EventSourceMappings = append(out.EventSourceMappings, types.EventSourceMappingConfiguration{State: aws.String(state), UUID: aws.String("1-2")})
	}
	if aws.ToString(in.EventSourceArn) != "arn:work" {
		return nil, errors.New("another queue")
	}
	return out, s.err
}

func TestIdleStack(t *testing.T) {
	const none = "the work queue has no event source mapping, so it waits: deploy the stack again"
	const disabled = "the worker's event source mapping is Disabled, so it waits: aws lambda update-event-source-mapping --uuid 1-2 --enabled"
	for _, tc := range []struct {
		states []string
		want   string
	}{
		{nil, none}, {[]string{"Enabled"}, ""}, {[]string{"Disabled"}, disabled}, {[]string{"Disabled", "Enabled"}, ""}, {[]string{"Updating"}, ""},
	} {
		s := sources{states: tc.states}
		h := &Home{Place: Place{Stack: "s"}, SQS: s, mappings: s}
		if got, err := h.Idle(t.Context()); got != tc.want || err != nil {
			t.Errorf("%v: %q, %v, want %q", tc.states, got, err, tc.want)
		}
	}
	s := sources{err: errors.New("AccessDenied")}
	if got, err := (&Home{Place: Place{Stack: "s"}, SQS: s, mappings: s}).Idle(t.Context()); got != "" || err == nil {
		t.Errorf("refused: %q, %v", got, err)
	}
}

func TestIdleFolder(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	h := &Home{Place: Place{Folder: t.TempDir()}}
	if err := WriteRunning(h.Folder, strings.TrimPrefix(srv.URL, "http://")); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Idle(t.Context()); got != "" || err != nil {
		t.Errorf("running: %q, %v", got, err)
	}
	srv.Close()
	if got, err := h.Idle(t.Context()); got != "no bridge runs in this folder, so it waits: "+h.Command("run") || err != nil {
		t.Errorf("not running: %q, %v", got, err)
	}
}
