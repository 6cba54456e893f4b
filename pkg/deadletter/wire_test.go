package deadletter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/awstest"
	"fairbridge/pkg/home"
)

// onTheWire connects the tool to the queues with HTTP and the real client.
func (w *world) onTheWire() *sqs.Client {
	w.t.Helper()
	server := httptest.NewServer(awstest.Server{
		"AmazonSQS.ReceiveMessage":               awstest.Call(w.ReceiveMessage),
		"AmazonSQS.SendMessageBatch":             awstest.Call(w.SendMessageBatch),
		"AmazonSQS.DeleteMessageBatch":           awstest.Call(w.DeleteMessageBatch),
		"AmazonSQS.ChangeMessageVisibilityBatch": awstest.Call(w.ChangeMessageVisibilityBatch),
		"AmazonSQS.GetQueueAttributes":           awstest.Call(w.GetQueueAttributes),
	})
	w.t.Cleanup(server.Close)
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}

// TestOnTheWire checks that with a server that responds at once the real client loses no
// response, so the run never waits.
func TestOnTheWire(t *testing.T) {
	w := newWorld(t)
	const n = 300
	letters := make([]Letter, n)
	for i := range letters {
		letters[i] = letter(t, i, 1)
	}
	w.put(letters...)
	q := w.queue(w.onTheWire())
	for range 3 {
		h, letters, err := take(t.Context(), q)
		if err != nil || len(letters) != n || h.Missing != 0 {
			t.Fatalf("%d letters, %d missing: %v", len(letters), h.Missing, err)
		}
		if h.doubt.Load() {
			t.Error("a response counts as lost")
		}
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	results, err := replayAll(t.Context(), q, everything)
	if err != nil || len(results) != n {
		t.Fatalf("%d results: %v", len(results), err)
	}
	for id, err := range results {
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != 0 || work != n {
		t.Errorf("%d dead letters, %d in the work queue", dead, work)
	}
}

// clientFunc is an HTTP client.
type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestOwnBody checks that a body can be read after the SDK has closed it, and again for a
// retry.
func TestOwnBody(t *testing.T) {
	var kept *http.Request
	o := sqs.Options{HTTPClient: clientFunc(func(r *http.Request) (*http.Response, error) {
		kept = r
		return nil, errors.New("none")
	})}
	ownBody(&o)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1", bytes.NewReader([]byte("body")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.HTTPClient.Do(r); err == nil {
		t.Error("the client's error is not returned")
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	again, err := kept.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []io.Reader{kept.Body, again} {
		if b, err := io.ReadAll(body); err != nil || string(b) != "body" {
			t.Errorf("read %q, %v", b, err)
		}
	}
}

// TestALostTryIsAwaited checks that the run waits for letters after a receive that
// needed a second try, since the first may have received them.
func TestALostTryIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(letter(t, 1, 1), letter(t, 2, 1))
		h, letters, err := take(t.Context(), w.queue(&secondTry{Queues: w.SQS}))
		if err != nil || len(letters) != 2 || h.Missing != 0 {
			t.Errorf("%d letters, %d missing: %v", len(letters), h.Missing, err)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// secondTry loses the response to the first request, and retries as the SDK's client does.
type secondTry struct {
	home.Queues
	lost atomic.Bool
}

func (s *secondTry) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, options ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if s.lost.Swap(true) {
		return s.Queues.ReceiveMessage(ctx, in)
	}
	o := sqs.Options{HTTPClient: clientFunc(func(*http.Request) (*http.Response, error) { return nil, nil })}
	for _, option := range options {
		option(&o)
	}
	if _, err := s.Queues.ReceiveMessage(ctx, in); err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := o.HTTPClient.Do(&http.Request{}); err != nil {
			return nil, err
		}
	}
	return s.Queues.ReceiveMessage(ctx, in)
}
