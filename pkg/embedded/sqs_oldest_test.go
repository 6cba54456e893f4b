package embedded_test

import (
	"testing"
	"time"
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
	q.receive(t, q.work) // being received does not change it
	oldest(first)
	q.clock.advance(4*24*time.Hour - time.Hour)
	oldest(second)
	q.clock.advance(time.Hour)
	oldest(time.Time{})
	if _, err := q.Oldest(t.Context(), "embedded://sqs/none"); err == nil {
		t.Error("a queue that is not there is no error")
	}
}

func TestDeliveries(t *testing.T) {
	q := openQueues(t)
	q.send(t, q.work, `{"deliveryId":"a"}`)
	q.clock.advance(time.Hour)
	last := q.clock.now()
	q.send(t, q.work, `{"deliveryId":"a"}`)
	q.send(t, q.work, "x")
	q.receive(t, q.work) // being received does not change it
	got, err := q.Deliveries(t.Context(), q.work)
	if err != nil || len(got) != 2 || got["a"].Before(last.Truncate(time.Millisecond)) || got[""].IsZero() {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := q.Deliveries(t.Context(), "embedded://sqs/none"); err == nil {
		t.Error("a queue that is not there is no error")
	}
}
