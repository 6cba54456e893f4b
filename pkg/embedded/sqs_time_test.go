package embedded_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/embedded"
)

// queues is an SQS with a work queue and its dead-letter queue, and a manual clock.
type queues struct {
	*embedded.SQS
	clock            *clock
	work, deadLetter string
}

func openQueues(t testing.TB) queues {
	t.Helper()
	return openQueuesAt(t, filepath.Join(t.TempDir(), "test.db"), newClock())
}

func openQueuesAt(t testing.TB, path string, c *clock) queues {
	t.Helper()
	q := queues{SQS: openSQS(t, path, c.now), clock: c}
	q.deadLetter = createQueue(t, q.SQS, embedded.Queue{Name: "dead", VisibilityTimeout: time.Minute})
	q.work = createQueue(t, q.SQS, embedded.Queue{
		Name: "work", VisibilityTimeout: 15 * time.Minute, MaxReceiveCount: 3, DeadLetterQueue: "dead",
	})
	return q
}

func (q queues) send(t testing.TB, url, body string) {
	t.Helper()
	if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}

func (q queues) receive(t testing.TB, url string) []types.Message {
	t.Helper()
	out, err := q.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func (q queues) receiveOne(t testing.TB, url string) types.Message {
	t.Helper()
	messages := q.receive(t, url)
	if len(messages) != 1 {
		t.Fatalf("got %d messages, want 1", len(messages))
	}
	return messages[0]
}

func (q queues) hide(t testing.TB, url string, m types.Message, d time.Duration) error {
	t.Helper()
	_, err := q.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(d / time.Second),
	})
	return err
}

func (q queues) delete(t testing.TB, url string, m types.Message) {
	t.Helper()
	if _, err := q.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
}

// holds checks how many messages are visible, in flight and delayed.
func (q queues) holds(t testing.TB, url string, visible, inFlight, delayed int) {
	t.Helper()
	out, err := q.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(out.Attributes["ApproximateNumberOfMessages"], " ", out.Attributes["ApproximateNumberOfMessagesNotVisible"], " ",
		out.Attributes["ApproximateNumberOfMessagesDelayed"])
	if want := fmt.Sprint(visible, " ", inFlight, " ", delayed); got != want {
		t.Errorf("visible, in flight and delayed are %s, want %s", got, want)
	}
}

// settled waits until the work queue is empty.
func (q queues) settled(t *testing.T) {
	t.Helper()
	for {
		left, err := q.Deliveries(t.Context(), q.work)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

func TestMessagesArriveInOrder(t *testing.T) {
	q := openQueues(t)
	for i := range 25 {
		q.send(t, q.work, fmt.Sprint(i))
		if i%10 == 0 {
			q.clock.advance(time.Millisecond)
		}
	}
	next := 0
	for range 3 {
		for _, m := range q.receive(t, q.work) {
			if got, want := aws.ToString(m.Body), fmt.Sprint(next); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			next++
		}
	}
	if next != 25 {
		t.Errorf("received %d messages", next)
	}
}

func TestVisibilityToTheMillisecond(t *testing.T) {
	q := openQueues(t)
	q.send(t, q.work, "x")
	first := q.receiveOne(t, q.work)
	q.holds(t, q.work, 0, 1, 0)
	q.clock.advance(15*time.Minute - time.Millisecond)
	if got := q.receive(t, q.work); len(got) != 0 {
		t.Fatalf("visible too early: %v", got)
	}
	if err := q.hide(t, q.work, first, 10*time.Minute); err != nil { // a lease renewed at the last moment
		t.Fatal(err)
	}
	q.clock.advance(10 * time.Minute)
	q.holds(t, q.work, 1, 0, 0)
	var notInFlight *types.MessageNotInflight
	if err := q.hide(t, q.work, first, time.Minute); !errors.As(err, &notInFlight) {
		t.Errorf("visible again: got %v", err)
	}
	second := q.receiveOne(t, q.work)
	if second.Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("attributes %v", second.Attributes)
	}
}

// TestOlderReceiptHandles checks that only the last receipt handle counts.
func TestOlderReceiptHandles(t *testing.T) {
	q := openQueues(t)
	q.send(t, q.work, "x")
	first := q.receiveOne(t, q.work)
	q.clock.advance(15 * time.Minute)
	second := q.receiveOne(t, q.work)

	q.delete(t, q.work, first)
	q.holds(t, q.work, 0, 1, 0)
	var invalid *types.ReceiptHandleIsInvalid
	if err := q.hide(t, q.work, first, 0); !errors.As(err, &invalid) {
		t.Errorf("change visibility by an older handle: %v", err)
	}
	q.delete(t, q.deadLetter, second) // another queue's handle
	q.holds(t, q.work, 0, 1, 0)
	q.clock.advance(15 * time.Minute)
	q.delete(t, q.work, second) // visible again, but the handle is still the last one
	q.holds(t, q.work, 0, 0, 0)
	var notInFlight *types.MessageNotInflight
	if err := q.hide(t, q.work, second, 0); !errors.As(err, &notInFlight) {
		t.Errorf("change visibility of a deleted message: %v", err)
	}
}

// TestTotalVisibilityHasALimit checks that, as in SQS, the 12 hours count from the receive,
// not from the last extension.
func TestTotalVisibilityHasALimit(t *testing.T) {
	q := openQueues(t)
	q.send(t, q.work, "x")
	m := q.receiveOne(t, q.work)
	if err := q.hide(t, q.work, m, 12*time.Hour); err != nil {
		t.Fatal(err)
	}
	q.clock.advance(time.Minute)
	err := q.hide(t, q.work, m, 12*time.Hour)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidParameterValue" {
		t.Errorf("got %v", err)
	}
	if err := q.hide(t, q.work, m, 12*time.Hour-time.Minute); err != nil {
		t.Error(err)
	}
}

func TestDelayedMessagesAreCountedAlone(t *testing.T) {
	q := openQueues(t)
	if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.work, MessageBody: aws.String("x"), DelaySeconds: 60}); err != nil {
		t.Fatal(err)
	}
	q.holds(t, q.work, 0, 0, 1)
	q.clock.advance(time.Minute)
	q.holds(t, q.work, 1, 0, 0)
}

func TestMovedIsReported(t *testing.T) {
	q := openQueues(t)
	var moved []string
	q.Moved = func(deliveryID string, receives int64) { moved = append(moved, fmt.Sprint(deliveryID, " ", receives)) }
	q.send(t, q.work, "x")
	for range 3 {
		q.receiveOne(t, q.work)
		q.clock.advance(15 * time.Minute)
	}
	if len(moved) != 0 {
		t.Errorf("moved too early: %q", moved)
	}
	for range 2 {
		if got := q.receive(t, q.work); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	}
	if !slices.Equal(moved, []string{idOf("x") + " 3"}) {
		t.Errorf("moved %q", moved)
	}
}

// TestRedriveDoesNotHideWhatIsBehind checks that a single receive moves many exhausted
// messages and still returns a good one behind them.
func TestRedriveDoesNotHideWhatIsBehind(t *testing.T) {
	q := openQueues(t)
	for range 30 {
		q.send(t, q.work, "bad")
	}
	for range 3 {
		for range 3 {
			if got := len(q.receive(t, q.work)); got != 10 {
				t.Fatalf("got %d messages", got)
			}
		}
		q.clock.advance(15 * time.Minute)
	}
	q.send(t, q.work, "good")
	if got := aws.ToString(q.receiveOne(t, q.work).Body); got != "good" {
		t.Errorf("got %q", got)
	}
	q.holds(t, q.deadLetter, 30, 0, 0)
}
