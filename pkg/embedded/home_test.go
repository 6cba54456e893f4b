package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/embedded/embeddedtest"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func openHome(t *testing.T, c embedded.Config) *embedded.Home {
	t.Helper()
	h, err := embedded.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestHome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "home")
	c := newClock()
	h := openHome(t, embedded.Config{Folder: dir, Now: c.now, Getenv: func(name string) string {
		return map[string]string{"FAIRBRIDGE_CENTERCODE_API_KEY": "key"}[name]
	}})
	out, err := h.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &h.WorkQueueURL, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"VisibilityTimeout": "930",
		"RedrivePolicy":     `{"deadLetterTargetArn":"arn:aws:sqs:embedded:000000000000:fairbridge-dead-letters","maxReceiveCount":1000}`,
	} {
		if got := out.Attributes[name]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	key, err := h.SSM.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fairbridge/centercode-api-key"), WithDecryption: aws.Bool(true)})
	if err != nil || aws.ToString(key.Parameter.Value) != "key" {
		t.Errorf("got %+v, %v", key, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	// The home works: a message is delivered.
	if _, err := h.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &h.WorkQueueURL, MessageBody: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	delivered := 0
	start(t, &embedded.Poller{SQS: h.SQS, QueueURL: h.WorkQueueURL, BatchSize: 10, MaximumConcurrency: 2, Timeout: time.Minute,
		Handler: func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
			delivered += len(e.Records)
			return events.SQSEventResponse{}, nil
		}})
	if err := embeddedtest.Settled(t.Context(), h); err != nil || delivered != 1 {
		t.Errorf("delivered %d, %v", delivered, err)
	}
}

func TestOneHomeOneRun(t *testing.T) {
	dir := t.TempDir()
	first, second := openHome(t, embedded.Config{Folder: dir}), openHome(t, embedded.Config{Folder: dir})
	if err := first.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
}

func TestExistingHome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mistyped")
	if _, err := embedded.Open(t.Context(), embedded.Config{Folder: dir, Existing: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder has been made: %v", err)
	}
	openHome(t, embedded.Config{Folder: dir})
	openHome(t, embedded.Config{Folder: dir, Existing: true})
}
