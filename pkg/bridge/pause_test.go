package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

func (s *station) putKey(key string) {
	s.Helper()
	s.must(home.Folder(s.home).PutSecret(s.Context(), secrets.CentercodeAPIKey, key))
}

// TestPause holds what arrives, shows it in the status, and lets it continue.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, site{})
		defer s.stop()
		h := home.Folder(s.home)
		pause := home.PauseRequest{Because: "the form is changed", Who: "ana", For: 2 * time.Hour}
		_, err := h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(90 * time.Minute)
		if n := s.sky.between(time.Time{}, time.Now()); n > 0 {
			t.Errorf("%d requests while all is paused", n)
		}
		states, err := s.bridge.waker.health.States(t.Context())
		s.must(err)
		if p := states[0].Pause; p == nil || p.Who != "ana" || p.Why != "the form is changed" {
			t.Errorf("the states are %+v", states)
		}
		began := time.Now()
		s.must(h.Resume(t.Context(), ""))
		time.Sleep(2 * time.Minute)
		s.returned(began, time.Minute+2*tick, time.Minute+2*tick)
		s.check(0)

		// One that ends on its own does so for those who wait as well.
		_, err = h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(2*time.Hour + 2*time.Minute)
		s.check(0)
	})
}
