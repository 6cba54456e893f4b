package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestABadHour checks an hour in which 30 % or 60 % of all requests meet a transient fault:
// nothing becomes a dead letter, and at 30 % the breaker is rarely open.
func TestABadHour(t *testing.T) {
	passing := oneOf("429", "500", "refused", "connect timeout")
	for home, at := range homes {
		for _, share := range []float64{0.3, 0.6} {
			t.Run(fmt.Sprint(home, ", ", share), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newTestBridge(t, at)
					defer s.stop()
					s.upstream.set(intermittent(share, passing))
					open := s.openIn(scaled(120, 1000), time.Hour)
					t.Logf("open for %.1f %% of the hour", open*100)
					if share < 0.5 && open > 0.1 {
						t.Errorf("the breaker is open for %.1f %% of the hour", open*100)
					}
					s.upstream.set(nil)
					time.Sleep(time.Hour)
					s.check(0)
				})
			})
		}
	}
}

// openIn sends webhooks over a period, and returns the share of it during which the breaker
// was open.
func (s *testBridge) openIn(webhooks int, over time.Duration) (share float64) {
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

// TestShortOutage checks that held deliveries are not spread over a longer time than the
// outage lasted.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestBridge(t, site{})
		defer s.stop()
		s.upstream.set(faults["503"])
		s.send(2 * underWay)
		time.Sleep(15 * time.Second)
		s.upstream.set(nil)
		back := time.Now()
		time.Sleep(3 * time.Minute)
		s.returned(back, 5*time.Second+2*tick, 25*time.Second+3*tick)
		s.check(0)
	})
}

// TestRetryAfterHoldsAll checks that a Retry-After in one delivery's response holds
// all the others too.
func TestRetryAfterHoldsAll(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, at)
				defer s.stop()
				const asked = 10 * time.Minute
				s.upstream.set(func(upstream *upstream, r *http.Request) (*http.Response, error) {
					resp, err := faults["429"](upstream, r)
					resp.Header.Set("Retry-After", fmt.Sprint(asked.Seconds()))
					return resp, err
				})
				s.send(1)
				time.Sleep(time.Second)
				s.upstream.set(nil)
				began := time.Now()
				s.send(30)
				time.Sleep(asked - 2*time.Second)
				if n := s.upstream.between(began, time.Now()); n > 0 {
					t.Errorf("%d requests before the Retry-After elapsed", n)
				}
				time.Sleep(5 * time.Minute)
				s.check(0)
			})
		})
	}
}

// TestOneProjectDoesNotHoldAnother checks that while one project answers 500, the tickets
// of the others are as quick as usual, sent one at a time or all at once.
func TestOneProjectDoesNotHoldAnother(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			measure := func(broken fault) (each, all time.Duration) {
				synctest.Test(t, func(t *testing.T) {
					s := newTestBridge(t, at)
					defer s.stop()
					s.upstream.even = true
					s.upstream.set(func(upstream *upstream, r *http.Request) (*http.Response, error) {
						if broken != nil && strings.Contains(r.URL.Path, "/BROKEN/") {
							return broken(upstream, r)
						}
						return upstream.forward(r)
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
						t.Errorf("%d of %d tickets of the healthy project", n, feedbacks)
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
					s.upstream.set(nil)
					time.Sleep(time.Hour)
					s.check(0)
				})
				return each, all
			}
			eachWell, allWell := measure(nil)
			each, all := measure(faults["500"])
			t.Logf("next to a healthy project: %s each, %s all; next to a failing one: %s, %s", eachWell, allWell, each, all)
			if each > eachWell*11/10 || all > allWell*11/10 {
				t.Errorf("a project waits for another: %s and %s, want %s and %s", each, all, eachWell, allWell)
			}
		})
	}
}
