package embedded_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/embedded"
)

// oneMessage is an event source with a single message, in place of SQS where a test uses
// synctest's clock.
type oneMessage struct {
	given   bool
	deleted int
	back    []string
}

func (o *oneMessage) ReceiveMessage(ctx context.Context, _ *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if o.given {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.given = true
	return &sqs.ReceiveMessageOutput{Messages: []types.Message{{MessageId: aws.String("m"), ReceiptHandle: aws.String("h"), Body: aws.String("x")}}}, nil
}

func (o *oneMessage) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	o.deleted++
	return &sqs.DeleteMessageBatchOutput{Successful: []types.DeleteMessageBatchResultEntry{{Id: in.Entries[0].Id}}}, nil
}

func (o *oneMessage) HandBack(ctx context.Context, _ string, handles ...string) error {
	o.back = handles
	return ctx.Err()
}

// runFor runs a poller for a minute, stops it, and returns how long stopping took and Run's
// result.
func runFor(t *testing.T, source *oneMessage, h handler) (time.Duration, error) {
	t.Helper()
	p := &embedded.Poller{SQS: source, QueueURL: "url", BatchSize: 10, MaximumConcurrency: 2, Timeout: 15 * time.Minute, Grace: 5 * time.Second, Handler: h}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	time.Sleep(time.Minute) // in synctest's time
	cancel()
	stopped := time.Now()
	err := <-ended
	return time.Since(stopped), err
}

func TestStopWaitsForInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &oneMessage{}
		took, err := runFor(t, source, func(ctx context.Context, _ events.SQSEvent) (events.SQSEventResponse, error) {
			time.Sleep(time.Minute + 4*time.Second) // a second before the grace period ends
			return events.SQSEventResponse{}, ctx.Err()
		})
		if took != 4*time.Second || err != nil || source.deleted != 1 {
			t.Errorf("took %v, %v; deleted %d", took, err, source.deleted)
		}
	})
}

// TestStopAtTheStart checks that a poller stopped during its start waits for nothing.
func TestStopAtTheStart(t *testing.T) {
	p, _ := openQueues(t).poller(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
		t.Error("was invoked")
		return events.SQSEventResponse{}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestStopMovesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &oneMessage{}
		start := time.Now()
		took, err := runFor(t, source, func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			if deadline, _ := derived.Deadline(); deadline.Sub(start) != 15*time.Minute {
				t.Errorf("the deadline is after %v", deadline.Sub(start))
			}
			<-derived.Done()
			if deadline, _ := derived.Deadline(); deadline.Sub(start) != time.Minute+5*time.Second || !time.Now().Equal(deadline) {
				t.Errorf("the deadline has moved to %v", deadline.Sub(start))
			}
			if cause := context.Cause(derived); !errors.Is(cause, embedded.ErrStopping) {
				t.Errorf("ended by %v", cause)
			}
			time.Sleep(time.Second) // returning the message
			return failedItems(e.Records[0].MessageId), nil
		})
		if took != 6*time.Second || err != nil || source.deleted != 0 || len(source.back) != 1 {
			t.Errorf("took %v, %v; deleted %d, returned %v", took, err, source.deleted, source.back)
		}
	})
}

func TestStopDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		took, err := runFor(t, &oneMessage{}, func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
			<-release
			return events.SQSEventResponse{}, nil
		})
		if took != 8*time.Second || err == nil {
			t.Errorf("took %v, %v", took, err)
		}
		close(release)
		synctest.Wait()
	})
}

func TestTimeoutEndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &oneMessage{}
		p := &embedded.Poller{
			SQS: source, QueueURL: "url", BatchSize: 1, MaximumConcurrency: 1, Timeout: 30 * time.Second,
			Handler: func(ctx context.Context, _ events.SQSEvent) (events.SQSEventResponse, error) {
				<-ctx.Done()
				return events.SQSEventResponse{}, ctx.Err()
			},
		}
		invocations := make(chan embedded.Invocation, 1)
		p.Done = func(i embedded.Invocation) { invocations <- i }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		if i := <-invocations; !errors.Is(i.Err, context.DeadlineExceeded) || i.Took != 30*time.Second || i.Failed != 1 {
			t.Errorf("invocation %+v", i)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
