package embedded_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	envelope "fairbridge/pkg/queue"
)

func TestOldest(t *testing.T) {
	q := openQueues(t)
	oldest := func(want time.Time) {
		t.Helper()
		if got, err := q.Oldest(t.Context(), q.work); err != nil || !got.Equal(want.Truncate(time.Millisecond)) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	oldest(time.Time{})
	first := q.clock.now()
	q.send(t, q.work, "x")
	q.clock.advance(time.Hour)
	second := q.clock.now()
	q.send(t, q.work, "y")
	received := q.receive(t, q.work) // a receive does not change it
	oldest(first)
	q.clock.advance(400 * 24 * time.Hour) // a folder keeps its messages forever
	oldest(first)
	q.delete(t, q.work, received[0])
	oldest(second)
	q.delete(t, q.work, received[1])
	oldest(time.Time{})
	if _, err := q.Oldest(t.Context(), "embedded://sqs/none"); err == nil {
		t.Error("no error for a queue that does not exist")
	}
}

// TestDeliveries checks that a message is found by the id that its readers use: that of its
// attribute or its body, or the body's hash for a foreign message.
func TestDeliveries(t *testing.T) {
	q := openQueues(t)
	ours := func(id string) string {
		body, err := envelope.Envelope{DeliveryID: id, ReceivedAt: q.clock.now(), Event: json.RawMessage("{}")}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	attribute := func(id string) map[string]types.MessageAttributeValue {
		return map[string]types.MessageAttributeValue{"deliveryId": {DataType: aws.String("String"), StringValue: &id}}
	}
	q.send(t, q.work, ours(idOf("a")))
	q.clock.advance(time.Hour)
	last := q.clock.now().Truncate(time.Millisecond)
	for _, m := range []struct {
		body, attribute string
	}{{ours(idOf("a")), ""}, {"x", ""}, {"x", "not an id"}, {"y", idOf("b")}} {
		in := &sqs.SendMessageInput{QueueUrl: &q.work, MessageBody: &m.body}
		if m.attribute != "" {
			in.MessageAttributes = attribute(m.attribute)
		}
		if _, err := q.SendMessage(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	q.receive(t, q.work) // a receive does not change it
	got, err := q.Deliveries(t.Context(), q.work)
	want := map[string]time.Time{idOf("a"): last.UTC(), idOf("x"): last.UTC(), idOf("b"): last.UTC()}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := q.Deliveries(t.Context(), "embedded://sqs/none"); err == nil {
		t.Error("no error for a queue that does not exist")
	}
}

func idOf(body string) string { return envelope.DeliveryID(body) }
