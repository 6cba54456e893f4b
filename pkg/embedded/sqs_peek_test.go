package embedded_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// peek returns the messages that Peek shows of a queue, most at a time.
func (q queues) peek(t *testing.T, url string, most int) (all []types.Message) {
	t.Helper()
	err := q.Peek(t.Context(), url, func(m types.Message) bool {
		all = append(all, m)
		return len(all) < most
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPeek(t *testing.T) {
	q := openQueues(t)
	bodies := func(most int, want ...string) {
		t.Helper()
		var got []string
		for _, m := range q.peek(t, q.work, most) {
			got = append(got, aws.ToString(m.Body))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	bodies(10)
	q.send(t, q.work, "hidden")
	q.receiveOne(t, q.work)
	q.clock.advance(time.Hour)
	q.send(t, q.work, "x")
	q.send(t, q.work, "y")
	bodies(10, "hidden", "x", "y")
	bodies(2, "hidden", "x")
	q.holds(t, q.work, 3, 0, 0)
	q.clock.advance(400 * 24 * time.Hour) // a folder keeps its messages forever
	bodies(10, "hidden", "x", "y")
	if err := q.Peek(t.Context(), "embedded://sqs/none", nil); err == nil {
		t.Error("no error for a queue that does not exist")
	}
}

// TestPeekDoesNotReceive checks that Peek shows the same as a receive, and changes nothing.
func TestPeekDoesNotReceive(t *testing.T) {
	q := openQueues(t)
	_, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &q.work, MessageBody: aws.String("x"),
		MessageAttributes: map[string]types.MessageAttributeValue{"event": {DataType: aws.String("String"), StringValue: aws.String("feedback")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // more often than the queue's maximum receive count
		m := q.peek(t, q.work, 10)[0]
		if aws.ToString(m.MessageAttributes["event"].StringValue) != "feedback" || m.ReceiptHandle != nil {
			t.Errorf("got %+v", m)
		}
	}
	q.holds(t, q.work, 1, 0, 0)
	m := q.receiveOne(t, q.work)
	if n := m.Attributes["ApproximateReceiveCount"]; n != "1" {
		t.Errorf("the first receive is number %s", n)
	}
	if sent := q.peek(t, q.work, 10)[0].Attributes["SentTimestamp"]; sent != m.Attributes["SentTimestamp"] {
		t.Errorf("sent at %s, but received as sent at %s", sent, m.Attributes["SentTimestamp"])
	}
	q.holds(t, q.work, 0, 1, 0)
	q.delete(t, q.work, m)
	if left := q.peek(t, q.work, 10); len(left) != 0 {
		t.Errorf("left is %+v", left)
	}
}
