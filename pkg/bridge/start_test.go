package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/home"
)

// TestStartWakesWhatIsHeld checks that messages held when the bridge stopped become visible
// soon after the next start, if the reason ended in between. Only the start can find that
// out.
func TestStartWakesWhatIsHeld(t *testing.T) {
	paused := func(s *testBridge) {
		_, err := home.Folder(s.home).Pause(s.Context(), home.PauseRequest{Because: "the form is changed"}, time.Now())
		s.must(err)
	}
	away := func(s *testBridge) { s.upstream.set(faults["503"]) }
	for name, tc := range map[string]struct{ begin, end func(*testBridge) }{
		"resumed": {paused, func(s *testBridge) {
			s.inFolder(func(h *home.Home) error { return h.Resume(s.Context(), "") })
		}},
		"Centercode is back": {away, func(s *testBridge) { s.upstream.set(nil) }},
		"the breaker's record is from before the outage": {away, func(s *testBridge) {
			s.upstream.set(nil)
			s.inFolder(func(h *home.Home) error { return h.Ledger.Delete(s.Context(), "#breaker/DEMO") })
		}},
		"it is resumed later": {paused, func(s *testBridge) {
			s.start()
			time.Sleep(2 * time.Minute)
			s.must(home.Folder(s.home).Resume(s.Context(), ""))
			s.stop()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, site{})
				defer func() { s.stop() }()
				tc.begin(s)
				s.send(10)
				time.Sleep(time.Hour) // until waits are long
				received := s.receives()
				for range 3 {
					s.stop()
					s.start()
					time.Sleep(2 * time.Minute)
				}
				if now := s.receives(); now > received+1 {
					t.Errorf("%d receives after three starts, %d before", now, received)
				}
				s.clears(func() {
					s.stop()
					tc.end(s)
					s.start()
				})
				s.check(0)
			})
		})
	}
}

// receives returns the highest receive count of any message.
func (s *testBridge) receives() (most int) {
	s.Helper()
	s.must(s.queue.row(s.Context(), "max(receives)", "1").Scan(&most))
	return most
}
