package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestABadHour: of 30 % or 60 % of all requests something passing becomes. Nothing
// is given up, and at 30 % the breaker is hardly ever open.
func TestABadHour(t *testing.T) {
	passing := oneOf("429", "500", "refused", "connect timeout")
	for home, at := range homes {
		for _, share := range []float64{0.3, 0.6} {
			t.Run(fmt.Sprint(home, ", ", share), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStation(t, at)
					defer s.stop()
					s.sky.set(changeable(share, passing))
					open := s.openIn(scaled(120, 1000), time.Hour)
					t.Logf("open for %.1f %% of the hour", open*100)
					if share < 0.5 && open > 0.1 {
						t.Errorf("the breaker is open for %.1f %% of the hour", open*100)
					}
					s.sky.set(nil)
					time.Sleep(time.Hour)
					s.check(0)
				})
			})
		}
	}
}

// openIn sends webhooks over a time, and returns for how much of it the breaker is
// open.
func (s *station) openIn(webhooks int, over time.Duration) (share float64) {
	s.Helper()
	const looksEach = 4
	open := 0
	for range webhooks {
		s.send(1)
		for range looksEach {
			time.Sleep(over / time.Duration(webhooks*looksEach))
			if state, err := s.bridge.waker.health.State(s.Context(), "DEMO"); err != nil || state.Open() {
				open++
			}
		}
	}
	return float64(open) / float64(webhooks*looksEach)
}

// TestShortOutage: what waits does not come back over a longer time than
// Centercode was away.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, site{})
		defer s.stop()
		s.sky.set(weathers["503"])
		s.send(2 * underWay)
		time.Sleep(15 * time.Second)
		s.sky.set(nil)
		back := time.Now()
		time.Sleep(3 * time.Minute)
		s.returned(back, 5*time.Second+2*tick, 25*time.Second+3*tick)
		s.check(0)
	})
}

// TestRetryAfterIsWaitedForByAll: one delivery is asked to wait, and no other goes
// either.
func TestRetryAfterIsWaitedForByAll(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, at)
				defer s.stop()
				const asked = 10 * time.Minute
				s.sky.set(func(sky *sky, r *http.Request) (*http.Response, error) {
					resp, err := weathers["429"](sky, r)
					resp.Header.Set("Retry-After", fmt.Sprint(asked.Seconds()))
					return resp, err
				})
				s.send(1)
				time.Sleep(time.Second)
				s.sky.set(nil)
				began := time.Now()
				s.send(30)
				time.Sleep(asked - 2*time.Second)
				if n := s.sky.between(began, time.Now()); n > 0 {
					t.Errorf("%d requests while Centercode has asked for time", n)
				}
				time.Sleep(5 * time.Minute)
				s.check(0)
			})
		})
	}
}

// TestOneProjectDoesNotHoldAnother: one answers 500, and the others' tickets are as
// quick as while it is well: one by one, and many at once.
func TestOneProjectDoesNotHoldAnother(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			measure := func(broken weather) (each, all time.Duration) {
				synctest.Test(t, func(t *testing.T) {
					s := newStation(t, at)
					defer s.stop()
					s.sky.even = true
					s.sky.set(func(sky *sky, r *http.Request) (*http.Response, error) {
						if broken != nil && strings.Contains(r.URL.Path, "/BROKEN/") {
							return broken(sky, r)
						}
						return sky.fine(r)
					})
					const feedbacks = 30
					for range feedbacks {
						s.sendEvent("crash", 1)
						s.send(1)
						time.Sleep(10 * time.Second)
					}
					for _, took := range s.times("feedback") {
						each += took / feedbacks
					}
					n := len(s.times("feedback"))
					if n != feedbacks {
						t.Errorf("%d of %d tickets of the project that is well", n, feedbacks)
					}
					began := time.Now()
					for range feedbacks {
						s.sendEvent("crash", 1)
						s.send(1)
					}
					for all = 0; n < 2*feedbacks && all < time.Hour; all = time.Since(began) {
						time.Sleep(10 * time.Millisecond)
						n = len(s.times("feedback"))
					}
					s.sky.set(nil)
					time.Sleep(time.Hour)
					s.check(0)
				})
				return each, all
			}
			eachWell, allWell := measure(nil)
			each, all := measure(weathers["500"])
			t.Logf("beside one that is well: %s each, %s all; beside one that is not: %s, %s", eachWell, allWell, each, all)
			if each > eachWell*11/10 || all > allWell*11/10 {
				t.Errorf("a project waits for another: %s and %s instead of %s and %s", each, all, eachWell, allWell)
			}
		})
	}
}
