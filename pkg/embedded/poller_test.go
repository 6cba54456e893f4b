package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/embedded"
)

type handler = func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// poller returns a poller of the work queue, and the invocations it reports.
func (q queues) poller(h handler) (*embedded.Poller, <-chan embedded.Invocation) {
	done := make(chan embedded.Invocation, 1000)
	return &embedded.Poller{
		SQS: q.SQS, QueueURL: q.work, Function: "worker", BatchSize: 10, MaximumConcurrency: 2,
		Timeout: time.Minute, Handler: h, Done: func(i embedded.Invocation) { done <- i },
	}, done
}

// start runs the poller; stop cancels its context and returns Run's result.
func start(t *testing.T, p *embedded.Poller) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func failedItems(ids ...string) events.SQSEventResponse {
	var r events.SQSEventResponse
	for _, id := range ids {
		r.BatchItemFailures = append(r.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	return r
}

// TestPartialBatchResponses checks the rules of Lambda's guide for the response to a batch,
// here of three messages.
func TestPartialBatchResponses(t *testing.T) {
	type answer = func(ids []string) (events.SQSEventResponse, error)
	tests := map[string]struct {
		answer answer
		left   []string
		whole  string // the error, if the batch failed as a whole
	}{
		"an empty response": {func([]string) (events.SQSEventResponse, error) { return events.SQSEventResponse{}, nil }, nil, ""},
		"an empty list": {func([]string) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}, nil
		}, nil, ""},
		"one failed":        {func(ids []string) (events.SQSEventResponse, error) { return failedItems(ids[1]), nil }, []string{"1"}, ""},
		"one failed, twice": {func(ids []string) (events.SQSEventResponse, error) { return failedItems(ids[1], ids[1]), nil }, []string{"1"}, ""},
		"all failed":        {func(ids []string) (events.SQSEventResponse, error) { return failedItems(ids...), nil }, []string{"0", "1", "2"}, ""},
		"an empty id":       {func(ids []string) (events.SQSEventResponse, error) { return failedItems(ids[0], ""), nil }, []string{"0", "1", "2"}, `names ""`},
		"an unknown id":     {func(ids []string) (events.SQSEventResponse, error) { return failedItems("nobody"), nil }, []string{"0", "1", "2"}, `names "nobody"`},
		"an error":          {func(ids []string) (events.SQSEventResponse, error) { return failedItems(ids[0]), errors.New("no disk") }, []string{"0", "1", "2"}, "no disk"},
		"a panic":           {func([]string) (events.SQSEventResponse, error) { panic("oh no") }, []string{"0", "1", "2"}, "oh no"},
		"an error without ids": {func([]string) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{}, errors.New("no disk")
		}, []string{"0", "1", "2"}, "no disk"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			q := openQueues(t)
			if _, err := q.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.work, Entries: []types.SendMessageBatchRequestEntry{
				{Id: aws.String("a"), MessageBody: aws.String("0")}, {Id: aws.String("b"), MessageBody: aws.String("1")}, {Id: aws.String("c"), MessageBody: aws.String("2")},
			}}); err != nil {
				t.Fatal(err)
			}
			p, done := q.poller(func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
				var ids []string
				for _, m := range e.Records {
					ids = append(ids, m.MessageId)
				}
				return test.answer(ids)
			})
			stop := start(t, p)
			i := <-done
			if err := stop(); err != nil {
				t.Error(err)
			}
			if i.Records != 3 || i.Failed != len(test.left) || (i.Err != nil) != (test.whole != "") || i.Err != nil && !strings.Contains(i.Err.Error(), test.whole) {
				t.Errorf("invocation %+v", i)
			}
			q.holds(t, q.work, 0, len(test.left), 0)
			// A restart does not shorten their visibility timeout.
			if n, err := q.ReleaseInFlight(t.Context(), q.work); n != 0 || err != nil {
				t.Errorf("released %d, %v", n, err)
			}
			q.clock.advance(15 * time.Minute)
			var left []string
			for _, m := range q.receive(t, q.work) {
				left = append(left, aws.ToString(m.Body))
			}
			if !slices.Equal(left, test.left) {
				t.Errorf("left are %q, want %q", left, test.left)
			}
		})
	}
}

func TestEventIsLikeLambdas(t *testing.T) {
	q := openQueues(t)
	_, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.work, MessageBody: aws.String("hello"), MessageAttributes: map[string]types.MessageAttributeValue{
		"event": {DataType: aws.String("String"), StringValue: aws.String("feedback")},
		"blob":  {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	q.clock.advance(time.Second)
	received := make(chan events.SQSEvent, 1)
	p, _ := q.poller(func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		lc, ok := lambdacontext.FromContext(ctx)
		if !ok || len(lc.AwsRequestID) != 36 || lc.InvokedFunctionArn != "arn:aws:lambda:embedded:000000000000:function:worker" {
			t.Errorf("lambda context %+v", lc)
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
			t.Errorf("deadline %v, %v", deadline, ok)
		}
		received <- e
		return events.SQSEventResponse{}, nil
	})
	stop := start(t, p)
	e := <-received
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(e.Records) != 1 {
		t.Fatalf("got %+v", e)
	}
	m := e.Records[0]
	want := events.SQSMessage{
		MessageId: m.MessageId, ReceiptHandle: m.ReceiptHandle, Md5OfMessageAttributes: m.Md5OfMessageAttributes, // random, and covered by the contract
		Body: "hello", Md5OfBody: "5d41402abc4b2a76b9719d911017c592",
		EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:embedded:000000000000:work", AWSRegion: "embedded",
		Attributes: map[string]string{
			"ApproximateReceiveCount": "1", "SenderId": "000000000000",
			"SentTimestamp": "1788264000000", "ApproximateFirstReceiveTimestamp": "1788264001000",
		},
		MessageAttributes: map[string]events.SQSMessageAttribute{
			"event": {DataType: "String", StringValue: aws.String("feedback"), StringListValues: []string{}, BinaryListValues: [][]byte{}},
			"blob":  {DataType: "Binary", BinaryValue: []byte{1, 2}, StringListValues: []string{}, BinaryListValues: [][]byte{}},
		},
	}
	if got, want := asJSON(t, m), asJSON(t, want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m.MessageId == "" || m.ReceiptHandle == "" || m.Md5OfMessageAttributes == "" {
		t.Errorf("got %+v", m)
	}
}

// TestConcurrencyHasALimit checks that at most MaximumConcurrency invocations run at once,
// with at most BatchSize messages each, and that every message is handled once.
func TestConcurrencyHasALimit(t *testing.T) {
	q := openQueues(t)
	const messages = 60
	for i := range messages {
		q.send(t, q.work, fmt.Sprint(i))
	}
	var mu sync.Mutex
	running, most, largest := 0, 0, 0
	seen := map[string]int{}
	both := make(chan struct{}) // closed when two have run at once
	p, _ := q.poller(func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		mu.Lock()
		running++
		if most = max(most, running); running == 2 && most == 2 {
			select {
			case <-both:
			default:
				close(both)
			}
		}
		largest = max(largest, len(e.Records))
		for _, m := range e.Records {
			seen[m.Body]++
		}
		mu.Unlock()
		<-both
		mu.Lock()
		running--
		mu.Unlock()
		return events.SQSEventResponse{}, nil
	})
	p.BatchSize = 4
	stop := start(t, p)
	q.settled(t)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if most != 2 || largest > 4 || len(seen) != messages {
		t.Errorf("%d at once, batches of %d, %d messages", most, largest, len(seen))
	}
	for body, n := range seen {
		if n != 1 {
			t.Errorf("%s was handled %d times", body, n)
		}
	}
}

// unreliable loses calls, either before they reach the queue or their responses.
type unreliable struct {
	*embedded.SQS
	mu                    sync.Mutex
	receives, lost, never int // calls still to fail
	partly                int
}

var errNetwork = errors.New("broken pipe")

func (u *unreliable) take(n *int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	*n--
	return *n >= 0
}

func (u *unreliable) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if u.take(&u.receives) {
		return nil, errNetwork
	}
	return u.SQS.ReceiveMessage(ctx, in, opts...)
}

func (u *unreliable) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, opts ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if u.take(&u.never) {
		return nil, errNetwork
	}
	if u.take(&u.partly) {
		out := &sqs.DeleteMessageBatchOutput{Failed: []types.BatchResultErrorEntry{{Id: in.Entries[0].Id, Code: aws.String("InternalError")}}}
		in.Entries = in.Entries[1:]
		if len(in.Entries) == 0 {
			return out, nil
		}
		rest, err := u.SQS.DeleteMessageBatch(ctx, in, opts...)
		out.Successful = rest.Successful
		return out, err
	}
	out, err := u.SQS.DeleteMessageBatch(ctx, in, opts...)
	if u.take(&u.lost) {
		return nil, errNetwork
	}
	return out, err
}

func TestDeletesAreConfirmed(t *testing.T) {
	for name, u := range map[string]*unreliable{
		"the receive fails":       {receives: 1},
		"the delete fails":        {never: 2},
		"its answer is lost":      {lost: 2},
		"one entry fails, always": {partly: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := openQueues(t)
			for range 3 {
				q.send(t, q.work, "x")
			}
			u.SQS = q.SQS
			p, _ := q.poller(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
				return events.SQSEventResponse{}, nil
			})
			p.SQS = u
			start(t, p)
			q.settled(t)
		})
	}
}

func TestPollerConfiguration(t *testing.T) {
	q := openQueues(t)
	for name, change := range map[string]func(*embedded.Poller){
		"no queue":       func(p *embedded.Poller) { p.QueueURL = "" },
		"batch size":     func(p *embedded.Poller) { p.BatchSize = 11 },
		"no concurrency": func(p *embedded.Poller) { p.MaximumConcurrency = 0 },
		"no timeout":     func(p *embedded.Poller) { p.Timeout = 0 },
		"no handler":     func(p *embedded.Poller) { p.Handler = nil },
	} {
		p, _ := q.poller(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{}, nil
		})
		change(p)
		if err := p.Run(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
