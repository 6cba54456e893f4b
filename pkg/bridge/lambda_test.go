package bridge

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
	"fairbridge/pkg/worker"
)

// dueQueue is a queue for tests that run for days: a receive sleeps until a message is due
// instead of polling. Like SQS, it limits the number of messages in flight.
type dueQueue struct {
	*embedded.SQS
	home     *embedded.Home
	url      string
	notified chan struct{}
	// atMost bounds the sleep, since the waker does not call notify.
	atMost time.Duration
	// atLeast is the minimum sleep, so that due messages are received in batches.
	atLeast time.Duration
	// inFlight is the limit of messages in flight, 0 for none; left is how many more can be
	// received before they must be counted again.
	inFlight, left int
}

func newDueQueue(h *embedded.Home, url string, inFlight int) *dueQueue {
	return &dueQueue{SQS: h.SQS, home: h, url: url, notified: make(chan struct{}, 1), atMost: time.Hour, atLeast: scaled(time.Second, 5*time.Second), inFlight: inFlight}
}

// notify ends a sleep.
func (q *dueQueue) notify() {
	select {
	case q.notified <- struct{}{}:
	default:
	}
}

// ReceiveMessage implements [embedded.EventSource].
func (q *dueQueue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if q.inFlight > 0 && q.left <= 0 {
		held, err := q.count(ctx, "visible_at > ? AND receives > 0")
		if err != nil {
			return nil, err
		}
		if q.left = q.inFlight - held; q.left <= 0 {
			return &sqs.ReceiveMessageOutput{}, q.wait(ctx, 20*time.Second) // the end of a long poll
		}
	}
	now := *in
	now.WaitTimeSeconds = 0
	if q.inFlight > 0 {
		now.MaxNumberOfMessages = min(now.MaxNumberOfMessages, int32(q.left))
	}
	out, err := q.SQS.ReceiveMessage(ctx, &now)
	if err != nil || len(out.Messages) > 0 {
		if err == nil {
			q.left -= len(out.Messages)
		}
		return out, err
	}
	var due sql.NullInt64
	if err := q.row(ctx, "min(visible_at)", "1").Scan(&due); err != nil {
		return nil, err
	}
	sleep := q.atMost
	if due.Valid {
		sleep = min(sleep, max(time.Until(time.UnixMilli(due.Int64)), q.atLeast))
	}
	return out, q.wait(ctx, sleep)
}

func (q *dueQueue) wait(ctx context.Context, long time.Duration) error {
	select {
	case <-time.After(long):
	case <-q.notified:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (q *dueQueue) row(ctx context.Context, what, where string, args ...any) *sql.Row {
	return q.home.DB.Read().QueryRowContext(ctx, "SELECT "+what+" FROM messages WHERE queue = (SELECT id FROM queues WHERE name = ?) AND "+where,
		append([]any{path.Base(q.url)}, args...)...)
}

func (q *dueQueue) count(ctx context.Context, where string) (n int, err error) {
	return n, errors.Join(q.row(ctx, "count(*)", where, time.Now().UnixMilli()).Scan(&n))
}

// depth returns the number of messages.
func (q *dueQueue) depth(ctx context.Context) (n int) {
	_ = q.row(ctx, "count(*)", "1").Scan(&n)
	return n
}

// lambda plays the worker function of a stack: each batch is an invocation, and a process
// runs one at a time. The processes share the ledger and the queue; each has its own
// secrets and its own counters of the breaker. There is no waker: held messages return when
// their visibility timeout expires.
type lambda struct {
	*testBridge
	config *mapping.Config

	mu   sync.Mutex
	idle []*process
	all  []*process
}

// newLambda returns a worker function whose queue is configured as in the template.
func newLambda(s *testBridge, config *mapping.Config) *lambda {
	_, err := s.home.SQS.CreateQueue(s.Context(), embedded.Queue{
		Name: path.Base(s.home.WorkQueueURL), VisibilityTimeout: functionTimeout + 30*time.Second,
		MaxReceiveCount: 1000, DeadLetterQueue: path.Base(s.home.DeadLetterQueueURL),
	})
	s.must(err)
	return &lambda{testBridge: s, config: config}
}

// handle runs an invocation.
func (l *lambda) handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	p := l.take()
	response, err := p.handler.Handle(ctx, batch)
	if p.ctx.Err() != nil {
		return events.SQSEventResponse{}, errCut
	}
	if !l.fresh {
		l.mu.Lock()
		l.idle = append(l.idle, p)
		l.mu.Unlock()
	}
	return response, err
}

// take returns the most recently used idle process, or a new one.
func (l *lambda) take() *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.idle); n > 0 {
		p := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return p
	}
	p := l.process()
	l.all = append(l.all, p)
	return p
}

// cut kills every process, whatever it is doing.
func (l *lambda) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.all {
		p.end()
	}
	l.idle, l.all = nil, nil
}

// process is a worker process. Once it has been killed, its calls have no effect and report
// nothing.
type process struct {
	*lambda
	handler *worker.Handler
	ctx     context.Context
	end     context.CancelFunc
}

var errCut = errors.New("the process is dead")

func (l *lambda) process() *process {
	p := &process{lambda: l}
	p.ctx, p.end = context.WithCancel(l.Context())
	m, err := worker.NewMapping(worker.MappingConfig{Config: l.config, HTTP: &http.Client{Transport: p}})
	l.must(err)
	if l.sources != nil {
		m.Sources = l.sources
	}
	remembered, err := ledger.New(ledger.Config{Store: p})
	l.must(err)
	health, err := breaker.New(breaker.Config{Store: p, Now: time.Now})
	l.must(err)
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(l.home.SSM)})
	l.must(err)
	p.handler, err = worker.New(worker.Config{
		Mapping: m, Ledger: remembered, Breaker: health, Secrets: stored, Queue: p, Reporter: p, Now: time.Now,
		WorkQueueURL: l.home.WorkQueueURL, FilesQueueURL: l.home.FilesQueueURL, DeadLetterQueueURL: l.home.DeadLetterQueueURL, HoldAtMost: worker.HoldAtMost,
	})
	l.must(err)
	return p
}

// RoundTrip implements [http.RoundTripper]. A request that was in flight when the process
// was killed may have been carried out.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.ctx.Err() != nil {
		return nil, errCut
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	resp, err := p.upstream.RoundTrip(r.WithContext(ctx))
	if p.ctx.Err() != nil {
		return nil, errCut
	}
	return resp, err
}

// Report implements [worker.Reporter].
func (p *process) Report(ctx context.Context, o worker.Outcome) {
	if p.ctx.Err() == nil {
		p.testBridge.Report(ctx, o)
	}
}

// alive makes a call unless the process has been killed.
func alive[In, Out any](ctx context.Context, p *process, call func(context.Context, In) (Out, error), in In) (out Out, err error) {
	if p.ctx.Err() != nil {
		return out, errCut
	}
	return call(ctx, in)
}

// done adapts a call that returns only an error, for alive.
func done[In any](call func(context.Context, In) error) func(context.Context, In) (struct{}, error) {
	return func(ctx context.Context, in In) (struct{}, error) { return struct{}{}, call(ctx, in) }
}

// Get implements [ledger.Store], as do Put, Set and Delete.
func (p *process) Get(ctx context.Context, id string) (ledger.Record, error) {
	return alive(ctx, p, p.home.Ledger.Get, id)
}

// Put writes a record.
func (p *process) Put(ctx context.Context, r ledger.Record) error {
	_, err := alive(ctx, p, done(p.home.Ledger.Put), r)
	return err
}

// Set writes a record unconditionally.
func (p *process) Set(ctx context.Context, r ledger.Record) error {
	_, err := alive(ctx, p, done(p.home.Ledger.Set), r)
	return err
}

// Delete removes a record.
func (p *process) Delete(ctx context.Context, id string) error {
	_, err := alive(ctx, p, done(p.home.Ledger.Delete), id)
	return err
}

// SendMessage implements [worker.Queue], as does ChangeMessageVisibility.
func (p *process) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return alive(ctx, p, func(ctx context.Context, in *sqs.SendMessageInput) (*sqs.SendMessageOutput, error) {
		return p.home.SQS.SendMessage(ctx, in)
	}, in)
}

// ChangeMessageVisibility changes a message's visibility timeout.
func (p *process) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	return alive(ctx, p, func(ctx context.Context, in *sqs.ChangeMessageVisibilityInput) (*sqs.ChangeMessageVisibilityOutput, error) {
		return p.home.SQS.ChangeMessageVisibility(ctx, in)
	}, in)
}
