package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

func (s *testBridge) putKey(key string) {
	s.Helper()
	s.must(home.Folder(s.home).PutSecret(s.Context(), secrets.CentercodeAPIKey, key))
}

// TestPause checks that a pause holds arriving deliveries and shows in the status, and that
// resuming delivers them.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestBridge(t, site{})
		defer s.stop()
		h := home.Folder(s.home)
		pause := home.PauseRequest{Because: "the form is changed", Who: "ana", For: 2 * time.Hour}
		_, err := h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(90 * time.Minute)
		if n := s.upstream.between(time.Time{}, time.Now()); n > 0 {
			t.Errorf("%d requests during the pause", n)
		}
		states, err := s.bridge.waker.health.States(t.Context())
		s.must(err)
		if p := states[0].Pause; p == nil || p.Who != "ana" || p.Why != "the form is changed" {
			t.Errorf("states are %+v", states)
		}
		began := time.Now()
		s.must(h.Resume(t.Context(), ""))
		time.Sleep(2 * time.Minute)
		s.returned(began, time.Minute+2*tick, time.Minute+2*tick)
		s.check(0)

		// A pause that expires also releases the deliveries that wait for it.
		_, err = h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(2*time.Hour + 2*time.Minute)
		s.check(0)
	})
}
