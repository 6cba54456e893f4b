package bridge

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// underWay is the number of deliveries processed at once.
const underWay = concurrency * batchSize

// away lists the ways in which Centercode can be unavailable; the last one mixes them all.
var away = []fault{
	faults["refused"], faults["503"], faults["502 in HTML"], faults["timeouts"], faults["401"],
	oneOf("refused", "503", "502 in HTML", "timeouts", "401"),
}

// canaries is the number of deliveries that go first during an outage without a look-up,
// where probes succeed and tickets fail: after 15 minutes, after an hour, then every four
// hours. Before that, the second lost response opens the breaker.
func canaries(outage time.Duration) int { return 2 + 2 + int(outage/(4*time.Hour)) }

// TestThreeDays runs through every kind of outage, one after the other: only ambiguous
// deliveries need a person. With FAIRBRIDGE_WEATHER=full it lasts three days, with ten
// thousand feedbacks.
func TestThreeDays(t *testing.T) {
	for _, tc := range []struct {
		name      string
		at        site
		hours     int
		feedbacks int
		doubtful  int
	}{
		{"folder", site{}, 12, 18, 2 * underWay},
		{"folder, looked up", site{lookedUp: true}, 6, 18, 0},
		{"stack", site{stack: true}, 6, 60, 2 * underWay},
		{"stack, looked up", site{stack: true, lookedUp: true}, 6, 60, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, tc.at)
				defer s.stop()
				s.send(3)
				time.Sleep(time.Minute)
				began := time.Now()
				outage := time.Duration(scaled(tc.hours, 72)) * time.Hour
				for _, way := range away {
					s.upstream.set(way)
					s.sendOver(scaled(tc.feedbacks, 10_000)/len(away), outage/time.Duration(len(away)))
				}
				s.left(began, outage)
				s.clears(func() { s.upstream.set(nil) })
				s.check(tc.doubtful)
			})
		})
	}
}

// TestEachWay runs each kind of outage alone, starting while as many deliveries as possible
// are in progress.
func TestEachWay(t *testing.T) {
	outage := scaled(20*time.Minute, 72*time.Hour)
	for _, tc := range []struct {
		way string
		// known is how long it takes to notice the outage.
		known    time.Duration
		doubtful int
	}{
		{"refused", time.Second, 0},
		{"503", time.Second, 0},
		{"401", time.Second, 0},
		{"502 in HTML", time.Second, 2 * underWay},
		{"timeouts", 31 * time.Second, 2 * underWay},
	} {
		for home, at := range homes {
			if home == "folder" && !full() && tc.way != "timeouts" {
				continue // it has a single worker, which notices it at once
			}
			t.Run(tc.way+", "+home, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newTestBridge(t, at)
					defer s.stop()
					s.send(3)
					time.Sleep(time.Minute)
					began := time.Now()
					s.upstream.set(faults[tc.way])
					s.send(underWay + 20)
					time.Sleep(tc.known)
					// Each process that lost a response probes.
					n := s.upstream.between(began, time.Now())
					t.Logf("%d requests before the outage was noticed", n)
					if n > underWay+concurrency || n < underWay {
						t.Errorf("%d requests before it is known, want %d and a probe of each process", n, underWay)
					}
					s.sendOver(scaled(5, 1000), outage)
					s.left(began, outage)
					s.clears(func() { s.upstream.set(nil) })
					s.check(tc.doubtful)
				})
			})
		}
	}
}

// left checks the number of requests after the fifth minute of an outage.
func (s *testBridge) left(began time.Time, outage time.Duration) {
	s.Helper()
	from := began.Add(6 * time.Minute) // the fifth minute since the outage was noticed
	during := s.upstream.between(from, time.Now())
	s.Logf("%d requests from the fifth minute", during)
	if during < int(outage/time.Minute)/2 {
		s.Errorf("%d requests from the fifth minute: no more probes", during)
	}
	s.quiet(began)
}

// TestFeedbackAnHour: with little traffic each feedback meets a new worker process. Without
// a look-up, one response is ambiguous before the outage is noticed. Where probes succeed
// and tickets fail, there is a second one, and one more each time a delivery goes first.
func TestFeedbackAnHour(t *testing.T) {
	hours := scaled(12, 72)
	for way, doubtful := range map[string]int{"502 in HTML": 1, "502 to tickets": canaries(time.Duration(hours) * time.Hour)} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, site{stack: true, fresh: true})
				defer s.stop()
				s.upstream.set(faults[way])
				s.sendOver(hours, time.Duration(hours)*time.Hour)
				s.upstream.set(nil)
				time.Sleep(5 * time.Hour) // until the next one goes first
				s.check(doubtful)
			})
		})
	}
}

// TestKeyIsCorrected checks that a wrong API key has the same effect as an outage, until a
// person sets the right one.
func TestKeyIsCorrected(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, at)
				defer s.stop()
				s.center.SetAPIKeys("another")
				began := time.Now()
				s.sendOver(60, time.Hour)
				s.left(began, time.Hour)
				s.clears(func() { s.putKey("another") })
				s.check(0)
			})
		})
	}
}

// TestFailedTryAgain has only deliveries that have failed: with a key that is refused while
// probes succeed, each attempt counts. In a folder one is woken each time the project may
// be tried, and is charged only for the time it has waited.
func TestFailedTryAgain(t *testing.T) {
	for _, feedbacks := range []int{1, 3} {
		for home, at := range homes {
			t.Run(fmt.Sprint(feedbacks, ", ", home), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newTestBridge(t, at)
					defer s.stop()
					s.center.SetAPIKeys("another")
					began := time.Now()
					s.send(feedbacks)
					time.Sleep(overnight)
					s.quiet(began)
					for _, e := range s.entries() {
						// The delay after the last attempt has not elapsed yet. While others are tried,
						// a delivery is held, which counts nothing. In one of a hundred runs on a
						// stack it is held for nine tenths of the night.
						passed := e.Waited - time.Duration(e.Tried[len(e.Tried)-1].Wait)*time.Millisecond
						if passed > overnight || passed < overnight/50 {
							t.Errorf("%d attempts in %s count as %s of waiting", e.Attempts, overnight, passed)
						}
					}
					s.clears(func() { s.putKey("another") })
					s.check(0)
				})
			})
		}
	}
}

// TestOneFeedback is an outage overnight during which a single feedback arrives.
func TestOneFeedback(t *testing.T) {
	for _, way := range []string{"refused", "401"} {
		for home, at := range homes {
			t.Run(way+", "+home, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newTestBridge(t, at)
					defer s.stop()
					began := time.Now()
					s.upstream.set(faults[way])
					s.send(1)
					time.Sleep(overnight)
					s.quiet(began)
					if e := s.entries()[0]; e.Attempts > 7 {
						t.Errorf("%d attempts: the outage was not noticed", e.Attempts)
					}
					s.clears(func() { s.upstream.set(nil) })
					s.check(0)
				})
			})
		}
	}
}

// overnight is long enough for every wait to reach its maximum.
const overnight = 3 * time.Hour

// quiet checks the number of requests after the fifth minute of an outage.
func (s *testBridge) quiet(began time.Time) {
	s.Helper()
	if most := s.upstream.most(began.Add(6*time.Minute), 10*time.Minute); most > 20 {
		s.Errorf("%d requests in ten minutes, want at most 20", most)
	}
}
