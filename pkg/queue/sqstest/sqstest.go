// Package sqstest is the contract test for any SQS that FairBridge runs on: Amazon's, an
// emulator's, or pkg/embedded. It requires no more than a standard queue promises:
// at-least-once delivery, in any order, with approximate counts. It waits for conditions,
// since an endpoint may be far away.
package sqstest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// API is the subject of the test: the SQS calls that FairBridge uses.
type API interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// How the queues passed to the suite must be configured.
const (
	VisibilityTimeout = 2 * time.Second // of both queues
	MaxReceiveCount   = 2               // of the work queue, into the dead-letter queue
	MaximumBytes      = 1 << 20         // MaximumMessageSize of both queues
)

// patience is how long the suite waits for a condition.
const patience = 60 * time.Second

// Queues are two empty queues of one SQS, for one test only.
type Queues struct {
	API        API
	Work       string // URL; its redrive policy names DeadLetter
	DeadLetter string // URL
}

// Fault is a test that an SQS is known to fail, and why.
type Fault struct{ Test, Why string }

// Run runs the whole suite. open returns new queues, configured as this package's constants
// require; it is called once for each test, and the tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Queues) {
	RunDelivery(t, open)
	RunRefusals(t, open)
}

// RunDelivery runs the tests of what happens to messages, on which the bridge's guarantees
// rest. but lists the SQS's known faults.
func RunDelivery(t *testing.T, open func(t *testing.T) Queues, but ...Fault) {
	run(t, open, but, map[string]func(*testing.T, Queues){
		"a message arrives as it was sent":             testSendAndReceive,
		"the largest message is carried":               testLargest,
		"attributes are selected":                      testAttributeSelection,
		"what is deleted does not come back":           testDelete,
		"a message that is not deleted is redelivered": testVisibilityTimeout,
		"visibility can be changed":                    testChangeVisibility,
		"a long poll wakes":                            testLongPollWakes,
		"a long poll ends empty":                       testLongPollEmpty,
		"a delayed message arrives later":              testDelay,
		"batches answer for each entry":                testBatch,
		"received too often, it is a dead letter":      testRedrive,
		"a dead letter can be sent directly":           testDirectDeadLetter,
		"a queue describes itself":                     testQueueAttributes,
		"many senders and receivers lose no message":   testConcurrency,
	})
}

// RunRefusals runs the tests of what must be refused, and how. Emulators tend to accept
// more than SQS does; but lists where.
func RunRefusals(t *testing.T, open func(t *testing.T) Queues, but ...Fault) {
	run(t, open, but, map[string]func(*testing.T, Queues){
		"batches as a whole can be wrong": testBatchErrors,
		"too much is refused":             testTooMuch,
		"some characters are refused":     testCharacters,
		"parameters have ranges":          testRanges,
		"receipt handles end":             testReceiptHandles,
		"a queue must exist":              testQueueDoesNotExist,
	})
}

func run(t *testing.T, open func(t *testing.T) Queues, but []Fault, tests map[string]func(*testing.T, Queues)) {
	for _, fault := range but {
		if tests[fault.Test] == nil || fault.Why == "" {
			t.Errorf("no test %q, or no reason to skip it", fault.Test)
		}
		delete(tests, fault.Test)
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tests[name](t, open(t))
		})
	}
}

// send sends a body and returns the message id.
func (q Queues) send(t *testing.T, url, body string) string {
	t.Helper()
	out, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.MessageId)
}

// receive waits for one message, with all its attributes.
func (q Queues) receive(t *testing.T, url string) types.Message {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if m, ok := q.poll(t, url, 2); ok {
			return m
		}
	}
	t.Fatal("no message received")
	return types.Message{}
}

// poll receives at most one message, waiting up to that many seconds.
func (q Queues) poll(t *testing.T, url string, seconds int32) (types.Message, bool) {
	t.Helper()
	out, err := q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl:                    &url,
		WaitTimeSeconds:             seconds,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) == 0 {
		return types.Message{}, false
	}
	return out.Messages[0], true
}

func (q Queues) delete(t *testing.T, url string, m types.Message) {
	t.Helper()
	_, err := q.API.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		t.Fatal(err)
	}
}

func (q Queues) changeVisibility(t *testing.T, url string, m types.Message, seconds int32) error {
	t.Helper()
	_, err := q.API.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds,
	})
	return err
}

// attributes returns all attributes of the queue.
func (q Queues) attributes(t *testing.T, url string) map[string]string {
	t.Helper()
	out, err := q.API.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// wantCode fails unless err is an SQS error with one of the codes. The codes of SQS's older
// protocol have a prefix, which is ignored.
func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("got %v, want an error of SQS: %q", err, codes)
		return
	}
	code := strings.TrimPrefix(api.ErrorCode(), "AWS.SimpleQueueService.")
	code = code[strings.LastIndex(code, "#")+1:] // a namespace, which SDKs drop
	if len(codes) > 0 && !slices.Contains(codes, code) {
		t.Errorf("got %v, want one of %q", err, codes)
	}
}
