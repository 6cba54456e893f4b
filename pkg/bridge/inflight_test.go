package bridge

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestMoreThanCanBeInFlight checks an outage with more deliveries than SQS allows in flight
// (120,000), where every held delivery is in flight. Newer ones wait unreceived, and
// nothing is lost.
func TestMoreThanCanBeInFlight(t *testing.T) {
	limit := scaled(120, 120_000)
	synctest.Test(t, func(t *testing.T) {
		s := newTestBridge(t, site{stack: true, inFlight: limit})
		defer s.stop()
		s.upstream.set(faults["503"])
		s.send(limit + limit/12)
		time.Sleep(time.Hour) // until waits are long
		waited := 0
		for range 20 {
			time.Sleep(time.Minute)
			held, err := s.queue.count(t.Context(), "visible_at > ? AND receives > 0")
			s.must(err)
			waiting, err := s.queue.count(t.Context(), "visible_at <= ?")
			s.must(err)
			if held > limit {
				t.Errorf("%d messages in flight, at most %d", held, limit)
			}
			if waiting > 0 {
				waited++
			}
		}
		t.Logf("at %d of 20 checks messages wait for the limit", waited)
		if waited < 5 {
			t.Error("the limit is hardly ever reached")
		}
		s.clears(func() { s.upstream.set(nil) })
		s.check(0)
	})
}
