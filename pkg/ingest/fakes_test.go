package ingest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy"
)

const (
	goodToken = "tok-5c3b8f2e"
	feedback  = `{"event":"feedback","text":"The CANARY sings","email":"canary@example.com"}`
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeQueue accepts messages unless fail returns an error.
type fakeQueue struct {
	mu   sync.Mutex
	sent []*sqs.SendMessageInput
	fail func(context.Context) error
}

func (q *fakeQueue) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if q.fail != nil {
		if err := q.fail(ctx); err != nil {
			return nil, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, in)
	return &sqs.SendMessageOutput{MessageId: aws.String("m-1")}, nil
}

// fakeSecrets has a cached value and one in SSM, as secrets.Store does.
type fakeSecrets struct {
	cached, stored string
	getErr         error
	freshErr       error
	freshReads     int
}

func (s *fakeSecrets) Get(_ context.Context, name string) (string, error) {
	if name != secrets.WebhookToken {
		return "", errors.New("another secret was asked for")
	}
	return s.cached, s.getErr
}

func (s *fakeSecrets) Fresh(context.Context, string, time.Duration) (string, error) {
	s.freshReads++
	if s.freshErr != nil {
		return "", s.freshErr
	}
	s.cached = s.stored
	return s.cached, nil
}

// wants lists the kinds that match a route.
type wants []testfairy.Kind

func (w wants) Wants(k testfairy.Kind) bool { return slices.Contains(w, k) }

// outcomes collects reported outcomes.
type outcomes struct {
	mu  sync.Mutex
	all []ingest.Outcome
}

func (o *outcomes) Report(_ context.Context, outcome ingest.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome)
}

// bench is a handler with all its dependencies.
type bench struct {
	handler *ingest.Handler
	queue   *fakeQueue
	secrets *fakeSecrets
	reports *outcomes
	now     time.Time
	ctx     context.Context
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		queue:   &fakeQueue{},
		secrets: &fakeSecrets{cached: goodToken, stored: goodToken},
		reports: &outcomes{},
		now:     start,
		ctx:     t.Context(),
	}
	h, err := ingest.New(ingest.Config{
		QueueURL: "https://sqs.example.com/1/work",
		Sender:   b.queue,
		Secrets:  b.secrets,
		Routes:   wants{testfairy.KindFeedback, "mood"},
		Reporter: b.reports,
		Timeout:  time.Second,
		Now:      func() time.Time { return b.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.handler = h
	return b
}

// send calls the handler, and returns its response and outcome.
func (b *bench) send(t testing.TB, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, ingest.Outcome) {
	t.Helper()
	before := len(b.reports.all)
	res, err := b.handler.Handle(b.ctx, req)
	if err != nil {
		t.Fatalf("Handle returned an error: %v", err)
	}
	if got := len(b.reports.all) - before; got != 1 {
		t.Fatalf("%d outcomes reported for one request, want 1", got)
	}
	return res, b.reports.all[before]
}

// post returns a webhook as API Gateway passes it to a function.
func post(body string) events.APIGatewayV2HTTPRequest {
	var req events.APIGatewayV2HTTPRequest
	req.Version = "2.0"
	req.RawPath = ingest.Path
	req.RawQueryString = "token=" + goodToken
	req.RequestContext.HTTP.Method = "POST"
	req.RequestContext.Stage = "$default"
	req.Body = body
	return req
}
