package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"fairbridge/pkg/internal/sleep"
)

const (
	// receivePause follows a failed receive.
	receivePause = time.Second
	// defaultGrace and handBackTime together stay below the 10 s in which `fairbridge run`
	// has to stop.
	defaultGrace = 6 * time.Second
	handBackTime = 3 * time.Second
)

// ErrStopping is the cause (context.Cause) with which invocations' contexts end when the
// poller's grace period is over.
var ErrStopping = errors.New("the poller is stopping")

// EventSource is the part of the queue that a [Poller] uses. *SQS implements it.
type EventSource interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	// HandBack is called for messages that are no longer being processed although they were
	// not deleted.
	HandBack(ctx context.Context, queueURL string, receiptHandles ...string) error
}

// Poller emulates Lambda's event source mapping: it receives messages, invokes the handler
// with them, and deletes those that the handler did not report as failed. The others stay
// in the queue, hidden until the visibility timeout that the handler or the queue has set.
type Poller struct {
	SQS      EventSource
	QueueURL string
	Function string // the function's name, for its ARN and the log
	// BatchSize is the maximum number of messages in an invocation, 1 to 10.
	BatchSize int
	// MaximumConcurrency is the maximum number of concurrent invocations, at least 1. No
	// more messages are received than they can process.
	MaximumConcurrency int
	// Timeout is the function's timeout: the deadline of an invocation's context. Unlike
	// Lambda, the poller does not kill a handler that overruns: it keeps its slot, and its
	// result counts when it comes.
	Timeout time.Duration
	Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

	// Grace is how long invocations may continue after Run's context has ended. The default
	// is 6 s.
	Grace time.Duration
	Log   *slog.Logger     // for problems in the poller; nil for none
	Done  func(Invocation) // called after each invocation and its deletes; may be nil
}

// Invocation is the result of a batch.
type Invocation struct {
	RequestID string
	Records   int
	Failed    int   // those that stay in the queue
	Err       error // an error of the batch as a whole, otherwise nil
	Took      time.Duration
}

// Run polls until ctx ends. Then it receives no more and waits for the running invocations:
// their deadline moves to Grace from then, at which their contexts end (cause
// [ErrStopping]); 3 s later Run returns in any case, with an error if some have not
// returned.
//
// The moving deadline is visible only through the context that was passed to the handler,
// or one derived from it without a deadline of its own.
func (p *Poller) Run(ctx context.Context) error {
	r, err := p.start(ctx)
	if err != nil {
		return fmt.Errorf("poll %s: %w", p.QueueURL, err)
	}
	slots := make(chan struct{}, p.MaximumConcurrency)
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		// Received messages must not be dropped even if ctx has ended: nobody else would
		// get them before their visibility timeout.
		messages := r.receive(ctx)
		if len(messages) == 0 {
			<-slots
			continue
		}
		r.invocations.Go(func() {
			defer func() { <-slots }()
			r.invoke(messages)
		})
	}
	return r.drain()
}

// run is the state of one Run.
type run struct {
	Poller
	invocations sync.WaitGroup

	base   context.Context         // for all invocations; outlives Run's
	cancel context.CancelCauseFunc // ends base
	stopAt atomic.Pointer[time.Time]
}

func (p *Poller) start(ctx context.Context) (*run, error) {
	r := &run{Poller: *p}
	switch {
	case p.SQS == nil || p.Handler == nil || p.QueueURL == "":
		return nil, errors.New("SQS, QueueURL and Handler are needed")
	case p.BatchSize < 1 || p.BatchSize > maxReceiveAtATime:
		return nil, fmt.Errorf("batch size %d is not within 1 and %d", p.BatchSize, maxReceiveAtATime)
	case p.MaximumConcurrency < 1:
		return nil, fmt.Errorf("maximum concurrency %d is less than 1", p.MaximumConcurrency)
	case p.Timeout <= 0:
		return nil, fmt.Errorf("timeout %v is not positive", p.Timeout)
	}
	if r.Grace == 0 {
		r.Grace = defaultGrace
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	r.base, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return r, nil
}

// receive returns no messages if there are none, if ctx has ended, or, after a pause, if
// the queue cannot be read.
func (r *run) receive(ctx context.Context) []types.Message {
	out, err := r.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &r.QueueURL,
		MaxNumberOfMessages:         int32(r.BatchSize),
		WaitTimeSeconds:             maxWaitSeconds,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err == nil {
		return out.Messages
	}
	if ctx.Err() == nil {
		r.Log.Error("messages could not be received", "function", r.Function, "err", err)
		_ = sleep.For(ctx, receivePause) // the caller checks whether ctx has ended
	}
	return nil
}

// drain waits for the running invocations.
func (r *run) drain() error {
	defer r.cancel(nil)
	stopAt := time.Now().Add(r.Grace)
	r.stopAt.Store(&stopAt)
	finished := make(chan struct{})
	go func() {
		r.invocations.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return nil
	case <-time.After(r.Grace):
		r.cancel(ErrStopping)
	}
	select {
	case <-finished:
		return nil
	case <-time.After(handBackTime):
		return fmt.Errorf("poll %s: invocations did not end within %v", r.QueueURL, r.Grace+handBackTime)
	}
}

// invocationContext is the context of an invocation. Its deadline moves closer when the
// poller stops.
type invocationContext struct {
	context.Context
	stopAt *atomic.Pointer[time.Time]
}

// Deadline returns the function's timeout, or the end of the grace period if that is
// earlier.
func (c invocationContext) Deadline() (time.Time, bool) {
	deadline, ok := c.Context.Deadline()
	if stopAt := c.stopAt.Load(); stopAt != nil && (!ok || stopAt.Before(deadline)) {
		return *stopAt, true
	}
	return deadline, ok
}

// invoke calls the handler with a batch, and deletes or keeps the messages according to its
// response.
func (r *run) invoke(messages []types.Message) {
	start := time.Now()
	i := Invocation{RequestID: uuid.NewString(), Records: len(messages)}
	ctx, cancel := context.WithTimeout(r.base, r.Timeout)
	defer cancel()
	ctx = lambdacontext.NewContext(invocationContext{ctx, &r.stopAt}, &lambdacontext.LambdaContext{
		AwsRequestID:       i.RequestID,
		InvokedFunctionArn: "arn:aws:lambda:" + Region + ":" + AccountID + ":function:" + r.Function,
	})
	var failed map[string]bool
	event := r.event(messages)
	response, err := call(func() (events.SQSEventResponse, error) { return r.Handler(ctx, event) })
	if i.Err = err; err == nil {
		failed, i.Err = failures(event, response)
	}

	var done, left []types.Message
	for _, m := range messages {
		if i.Err != nil || failed[aws.ToString(m.MessageId)] {
			left = append(left, m)
		} else {
			done = append(done, m)
		}
	}
	i.Failed, i.Took = len(left), time.Since(start)
	if i.Err != nil {
		log := r.Log.With("function", r.Function, "function_request_id", i.RequestID, "records", i.Records)
		if panicked := (*panicError)(nil); errors.As(i.Err, &panicked) {
			log = log.With("stack", string(panicked.stack))
		}
		log.Error("an invocation failed as a whole; its messages stay in the queue", "err", i.Err)
	}
	// Finished messages are deleted even if the poller has to stop now.
	ctx = context.WithoutCancel(ctx)
	r.delete(ctx, done)
	r.handBack(ctx, left)
	if r.Done != nil {
		r.Done(i)
	}
}

// panicError is a handler's panic. It fails the invocation and nothing else.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// call calls a handler.
func call[T any](handler func() (T, error)) (response T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	return handler()
}
