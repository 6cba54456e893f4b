package embedded

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// TestWakeAllTakesTheReceiveBack, so that a bridge that is started again and again does not
// use up receives either.
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

// A message that is woken for a probe each minute must not use up its receives: the
// queue would give it up while Centercode is away.
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
		// Its handle is good for one wake.
		m.must(m.sqs.Wake(t.Context(), m.url, 0, *message.ReceiptHandle))
	}
}
