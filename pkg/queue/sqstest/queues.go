package sqstest

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func testRedrive(t *testing.T, q Queues) {
	sent, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &q.Work, MessageBody: aws.String(hardBody),
		MessageAttributes: map[string]types.MessageAttributeValue{"event": text("feedback")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var m types.Message
	for range MaxReceiveCount {
		m = q.receive(t, q.Work)
		if err := q.changeVisibility(t, q.Work, m, 0); err != nil {
			t.Fatal(err)
		}
	}
	// SQS moves the message when it would be received once more.
	var dead types.Message
	eventually(t, "the message is in the dead-letter queue", func() bool {
		if again, ok := q.poll(t, q.Work, 1); ok {
			t.Fatalf("received once more: %v", again.Attributes)
		}
		var ok bool
		dead, ok = q.poll(t, q.DeadLetter, 1)
		return ok
	})
	if aws.ToString(dead.MessageId) != aws.ToString(sent.MessageId) {
		t.Errorf("message id %s, was %s", aws.ToString(dead.MessageId), aws.ToString(sent.MessageId))
	}
	if aws.ToString(dead.Body) != hardBody {
		t.Errorf("body %q", aws.ToString(dead.Body))
	}
	if got := aws.ToString(dead.MessageAttributes["event"].StringValue); got != "feedback" {
		t.Errorf("attributes %v", dead.MessageAttributes)
	}
	if got, want := dead.Attributes["SentTimestamp"], m.Attributes["SentTimestamp"]; got != want {
		t.Errorf("SentTimestamp %s, was %s", got, want)
	}
	if got, want := dead.Attributes["DeadLetterQueueSourceArn"], q.attributes(t, q.Work)["QueueArn"]; got != want {
		t.Errorf("DeadLetterQueueSourceArn %q, want %q", got, want)
	}
	q.delete(t, q.DeadLetter, dead)
}

func testDirectDeadLetter(t *testing.T, q Queues) {
	q.send(t, q.DeadLetter, "x")
	for range MaxReceiveCount + 1 { // receiving a dead letter does not use it up
		m := q.receive(t, q.DeadLetter)
		if source, ok := m.Attributes["DeadLetterQueueSourceArn"]; ok {
			t.Errorf("its source is %s", source)
		}
		if err := q.changeVisibility(t, q.DeadLetter, m, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func testQueueAttributes(t *testing.T, q Queues) {
	q.send(t, q.Work, "one")
	q.send(t, q.Work, "two")
	if _, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.Work, MessageBody: aws.String("three"), DelaySeconds: 900}); err != nil {
		t.Fatal(err)
	}
	m := q.receive(t, q.Work)
	if err := q.changeVisibility(t, q.Work, m, 600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the numbers settle", func() bool {
		a := q.attributes(t, q.Work)
		return a["ApproximateNumberOfMessages"] == "1" && a["ApproximateNumberOfMessagesNotVisible"] == "1" && a["ApproximateNumberOfMessagesDelayed"] == "1"
	})
	a, deadLetter := q.attributes(t, q.Work), q.attributes(t, q.DeadLetter)
	if got := a["VisibilityTimeout"]; got != "2" {
		t.Errorf("VisibilityTimeout %q", got)
	}
	if got := a["MaximumMessageSize"]; got != "1048576" {
		t.Errorf("MaximumMessageSize %q", got)
	}
	if arn := a["QueueArn"]; !strings.HasPrefix(arn, "arn:") || !strings.HasSuffix(arn, ":"+path.Base(q.Work)) {
		t.Errorf("QueueArn %q for %s", arn, q.Work)
	}
	var policy struct {
		Target      string      `json:"deadLetterTargetArn"`
		MaxReceives json.Number `json:"maxReceiveCount"` // a number or a string
	}
	if err := json.Unmarshal([]byte(a["RedrivePolicy"]), &policy); err != nil {
		t.Errorf("RedrivePolicy %q: %v", a["RedrivePolicy"], err)
	}
	if policy.Target != deadLetter["QueueArn"] || policy.MaxReceives != "2" {
		t.Errorf("RedrivePolicy %q, the dead-letter queue is %q", a["RedrivePolicy"], deadLetter["QueueArn"])
	}
	if policy, ok := deadLetter["RedrivePolicy"]; ok {
		t.Errorf("the dead-letter queue has the RedrivePolicy %q", policy)
	}
	one, err := q.API.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &q.Work, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil || len(one.Attributes) != 1 || one.Attributes["QueueArn"] != a["QueueArn"] {
		t.Errorf("asked for one: %+v, %v", one, err)
	}
}

func testQueueDoesNotExist(t *testing.T, q Queues) {
	none := q.Work + "-none"
	errs := map[string]error{}
	_, errs["SendMessage"] = q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &none, MessageBody: aws.String("x")})
	_, errs["ReceiveMessage"] = q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &none})
	for call, err := range errs {
		var missing *types.QueueDoesNotExist
		if !errors.As(err, &missing) {
			t.Errorf("%s: got %v, want QueueDoesNotExist", call, err)
		}
	}
}
