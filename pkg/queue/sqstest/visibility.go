package sqstest

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func testDelete(t *testing.T, q Queues) {
	q.send(t, q.Work, "x")
	m := q.receive(t, q.Work)
	q.delete(t, q.Work, m)
	// Longer than the visibility timeout.
	if again, ok := q.poll(t, q.Work, int32(VisibilityTimeout.Seconds())+2); ok {
		t.Errorf("visible again: %+v", again)
	}
}

func testVisibilityTimeout(t *testing.T, q Queues) {
	q.send(t, q.Work, "x")
	first := q.receive(t, q.Work)
	start := time.Now()
	second := q.receive(t, q.Work)
	if took := time.Since(start); took < VisibilityTimeout/2 {
		t.Errorf("visible again after %v", took)
	}
	if aws.ToString(second.MessageId) != aws.ToString(first.MessageId) || aws.ToString(second.Body) != "x" {
		t.Errorf("received again as %+v, was %+v", second, first)
	}
	if aws.ToString(second.ReceiptHandle) == aws.ToString(first.ReceiptHandle) {
		t.Error("received again with the same receipt handle")
	}
	if got := second.Attributes["ApproximateReceiveCount"]; got != "2" {
		t.Errorf("ApproximateReceiveCount %q", got)
	}
	for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
		if second.Attributes[name] != first.Attributes[name] {
			t.Errorf("%s has changed from %q to %q", name, first.Attributes[name], second.Attributes[name])
		}
	}
}

// The queue's timeout is 2 s; each of these is longer or shorter. The dead-letter queue is
// used because it has no receive limit.
func testChangeVisibility(t *testing.T, q Queues) {
	const longer = 4
	q.send(t, q.DeadLetter, "x")
	start := time.Now()
	out, err := q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.DeadLetter, VisibilityTimeout: longer, WaitTimeSeconds: 20})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("got %+v, %v", out, err)
	}
	m := q.receive(t, q.DeadLetter)
	if took := time.Since(start); took < (longer-1)*time.Second {
		t.Errorf("received for %d s, visible again after %v", longer, took)
	}

	start = time.Now()
	if err := q.changeVisibility(t, q.DeadLetter, m, longer); err != nil {
		t.Fatal(err)
	}
	m = q.receive(t, q.DeadLetter)
	if took := time.Since(start); took < (longer-1)*time.Second {
		t.Errorf("hidden for %d s, visible again after %v", longer, took)
	}

	if err := q.changeVisibility(t, q.DeadLetter, m, 600); err != nil {
		t.Fatal(err)
	}
	if err := q.changeVisibility(t, q.DeadLetter, m, 0); err != nil {
		t.Fatal(err)
	}
	q.receive(t, q.DeadLetter)
}

func testReceiptHandles(t *testing.T, q Queues) {
	garbage := aws.String("no such handle")
	_, err := q.API.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.Work, ReceiptHandle: garbage})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = q.API.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.Work, ReceiptHandle: garbage, VisibilityTimeout: 1})
	wantCode(t, err, "ReceiptHandleIsInvalid")

	q.send(t, q.Work, "x")
	m := q.receive(t, q.Work)
	if err := q.changeVisibility(t, q.Work, m, 0); err != nil {
		t.Fatal(err)
	}
	wantCode(t, q.changeVisibility(t, q.Work, m, 10), "MessageNotInflight", "InvalidParameterValue", "ReceiptHandleIsInvalid")

	m = q.receive(t, q.Work)
	q.delete(t, q.Work, m)
	q.delete(t, q.Work, m) // deleting twice is not an error
	wantCode(t, q.changeVisibility(t, q.Work, m, 10), "MessageNotInflight", "InvalidParameterValue", "ReceiptHandleIsInvalid")
}
