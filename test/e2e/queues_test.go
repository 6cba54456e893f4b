//go:build e2e

package e2e

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// letter waits for the message of a delivery in the dead-letter queue, and leaves it there.
func (w *world) letter(t *testing.T, deliveryID string) (m types.Message) {
	t.Helper()
	eventually(t, "delivery "+deliveryID+" is a dead letter", func() bool {
		var found bool
		m, found = w.receive(t, w.stack.DeadLetterQueueURL, deliveryID)
		return found
	})
	return m
}

// find looks for a message among ten of a queue. They become visible again after a second.
func (w *world) find(t *testing.T, queueURL string, is func(types.Message) bool) (found types.Message, ok bool) {
	t.Helper()
	out, err := w.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		// The SDK omits a timeout of 0, which would mean the queue's own.
		QueueUrl: &queueURL, MaxNumberOfMessages: 10, VisibilityTimeout: 1,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Messages {
		_, err := w.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &queueURL, ReceiptHandle: m.ReceiptHandle})
		if err != nil {
			t.Fatal(err)
		}
		if !ok && is(m) {
			found, ok = m, true
		}
	}
	return found, ok
}

// receive receives the message of a delivery for a moment.
func (w *world) receive(t *testing.T, queueURL, deliveryID string) (types.Message, bool) {
	t.Helper()
	return w.find(t, queueURL, func(m types.Message) bool {
		return aws.ToString(m.MessageAttributes["deliveryId"].StringValue) == deliveryID
	})
}

// remove deletes a message that was just received.
func (w *world) remove(t *testing.T, queueURL string, m types.Message) {
	t.Helper()
	_, err := w.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queueURL, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		t.Fatal(err)
	}
}

// arn returns a queue's ARN.
func (w *world) arn(t *testing.T, queueURL string) string {
	t.Helper()
	return w.attributes(t, queueURL)["QueueArn"]
}

// waitIdle waits until the work queue and the files queue are empty, in-flight messages
// included.
func (w *world) waitIdle(t *testing.T) {
	t.Helper()
	for _, url := range []string{w.stack.WorkQueueURL, w.stack.FilesQueueURL} {
		eventually(t, url+" is empty", func() bool { return w.depth(t, url) == 0 })
	}
}

// depth returns the number of messages in a queue, in-flight ones included.
func (w *world) depth(t *testing.T, queueURL string) (n int) {
	t.Helper()
	attributes := w.attributes(t, queueURL)
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		count, err := strconv.Atoi(attributes[name])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// attributes returns all attributes of a queue.
func (w *world) attributes(t *testing.T, queueURL string) map[string]string {
	t.Helper()
	out, err := w.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

// withoutWorker runs do while the worker receives nothing.
func (w *world) withoutWorker(t *testing.T, do func()) {
	t.Helper()
	w.enableMapping(t, false)
	defer w.enableMapping(t, true)
	do()
}

// enableMapping enables or disables the event source mapping.
func (w *world) enableMapping(t *testing.T, on bool) {
	t.Helper()
	state, flag := "Disabled", "--no-enabled"
	if on {
		state, flag = "Enabled", "--enabled"
	}
	if err := w.aws(t.Context(), nil, "lambda", "update-event-source-mapping", "--uuid", w.mapping, flag); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mapping is "+state, func() bool {
		var mapping struct{ State string }
		err := w.aws(t.Context(), &mapping, "lambda", "get-event-source-mapping", "--uuid", w.mapping)
		return err == nil && mapping.State == state
	})
}
