package embedded

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// TestWakeAllTakesTheReceiveBack checks that a bridge which restarts again and again does
// not use up receives.
func TestWakeAllTakesTheReceiveBack(t *testing.T) {
	m := newMachine(t)
	m.send("a")
	for n := range 3 {
		received := m.receive()
		if len(received) != 1 {
			t.Fatalf("start %d: got %d messages", n, len(received))
		}
		if times := received[0].Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]; times != "1" {
			t.Errorf("start %d: it was received %s times", n, times)
		}
		m.hide(received[0], 10*time.Minute)
		m.must(m.sqs.HandBack(t.Context(), m.url, *received[0].ReceiptHandle))
		m.must(m.sqs.WakeAll(t.Context(), m.url, time.Minute))
		m.up += time.Minute + time.Second
	}
}

// TestWakeTakesTheReceiveBack checks that a message woken every minute for a probe does not
// use up its receives: otherwise the queue would move it to the dead-letter queue during an
// outage.
func TestWakeTakesTheReceiveBack(t *testing.T) {
	m := newMachine(t)
	m.send("a")
	for n := range 5 {
		received := m.receive()
		if len(received) != 1 {
			t.Fatalf("round %d: got %d messages", n, len(received))
		}
		message := received[0]
		if times := message.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]; times != "1" {
			t.Errorf("round %d: it was received %s times", n, times)
		}
		m.hide(message, 10*time.Minute)
		m.must(m.sqs.Wake(t.Context(), m.url, 0, *message.ReceiptHandle))
		m.up += time.Second
		// The handle works for one wake only.
		m.must(m.sqs.Wake(t.Context(), m.url, 0, *message.ReceiptHandle))
	}
}
