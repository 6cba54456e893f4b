package bridge

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// underWay is how many deliveries are worked on at once.
const underWay = concurrency * batchSize

// away are the ways in which Centercode is not there, and all of them at once.
var away = []weather{
	weathers["refused"], weathers["503"], weathers["502 in HTML"], weathers["timeouts"], weathers["401"],
	oneOf("refused", "503", "502 in HTML", "timeouts", "401"),
}

// canaries is how many deliveries go first in so long an outage without a look-up,
// where probes are well and tickets are not: after 15 minutes, an hour, then every
// four. Before that, the second answer that is lost opens the breaker.
func canaries(outage time.Duration) int { return 2 + 2 + int(outage/(4*time.Hour)) }

// TestThreeDays is Centercode being away in every way, one after the other: nobody
// is needed for anything but what was in doubt. It is three days, and ten thousand
// feedbacks, if FAIRBRIDGE_WEATHER is full.
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
				s := newStation(t, tc.at)
				defer s.stop()
				s.send(3)
				time.Sleep(time.Minute)
				began := time.Now()
				outage := time.Duration(scaled(tc.hours, 72)) * time.Hour
				for _, way := range away {
					s.sky.set(way)
					s.sendOver(scaled(tc.feedbacks, 10_000)/len(away), outage/time.Duration(len(away)))
				}
				s.left(began, outage)
				s.clears(func() { s.sky.set(nil) })
				s.check(tc.doubtful)
			})
		})
	}
}

// TestEachWay is each way alone, and it begins while all that can be worked on at
// once is.
func TestEachWay(t *testing.T) {
	outage := scaled(20*time.Minute, 72*time.Hour)
	for _, tc := range []struct {
		way string
		// known is how long it takes until it is known.
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
				continue // it has the same worker, and knows at once what all of it knows
			}
			t.Run(tc.way+", "+home, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStation(t, at)
					defer s.stop()
					s.send(3)
					time.Sleep(time.Minute)
					began := time.Now()
					s.sky.set(weathers[tc.way])
					s.send(underWay + 20)
					time.Sleep(tc.known)
					// Each process that has lost an answer probes.
					n := s.sky.between(began, time.Now())
					t.Logf("%d requests before it is known", n)
					if n > underWay+concurrency || n < underWay {
						t.Errorf("%d requests before it is known, want %d and a probe of each process", n, underWay)
					}
					s.sendOver(scaled(5, 1000), outage)
					s.left(began, outage)
					s.clears(func() { s.sky.set(nil) })
					s.check(tc.doubtful)
				})
			})
		}
	}
}

// left reports how far Centercode was left alone from the fifth minute of an outage.
func (s *station) left(began time.Time, outage time.Duration) {
	s.Helper()
	from := began.Add(6 * time.Minute) // the fifth, of when it is known
	during := s.sky.between(from, time.Now())
	s.Logf("%d requests from the fifth minute", during)
	if during < int(outage/time.Minute)/2 {
		s.Errorf("%d requests from the fifth minute: nobody tries", during)
	}
	s.quiet(began)
}

// TestFeedbackAnHour: where little happens, each feedback meets a worker process
// that knows nothing. Without a look-up, one answer is in doubt before all know that
// Centercode is away. Where probes are well and tickets are not, there is one more,
// and one each time a delivery goes first.
func TestFeedbackAnHour(t *testing.T) {
	hours := scaled(12, 72)
	for way, doubtful := range map[string]int{"502 in HTML": 1, "502 to tickets": canaries(time.Duration(hours) * time.Hour)} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, site{stack: true, fresh: true})
				defer s.stop()
				s.sky.set(weathers[way])
				s.sendOver(hours, time.Duration(hours)*time.Hour)
				s.sky.set(nil)
				time.Sleep(5 * time.Hour) // until the next goes first
				s.check(doubtful)
			})
		})
	}
}

// TestKeyIsPutRight: Centercode takes another key than the bridge has, until a
// person puts it right. That is the same as if it had been away.
func TestKeyIsPutRight(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, at)
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

// TestFailedTryAgain has nothing but deliveries that have failed: with a key that is refused
// where probes are well, each attempt is a delivery's own. In a folder one is woken each
// time that the project may be tried, and charged for no more than it has waited.
func TestFailedTryAgain(t *testing.T) {
	for _, feedbacks := range []int{1, 3} {
		for home, at := range homes {
			t.Run(fmt.Sprint(feedbacks, ", ", home), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStation(t, at)
					defer s.stop()
					s.center.SetAPIKeys("another")
					began := time.Now()
					s.send(feedbacks)
					time.Sleep(overnight)
					s.quiet(began)
					for _, e := range s.entries() {
						// The delay after the last attempt has not passed yet.
						passed := e.Waited - time.Duration(e.Tried[len(e.Tried)-1].Wait)*time.Millisecond
						if passed > overnight || passed < overnight/4 {
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

// TestOneFeedback: an outage overnight that a single feedback meets, and no other.
func TestOneFeedback(t *testing.T) {
	for _, way := range []string{"refused", "401"} {
		for home, at := range homes {
			t.Run(way+", "+home, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStation(t, at)
					defer s.stop()
					began := time.Now()
					s.sky.set(weathers[way])
					s.send(1)
					time.Sleep(overnight)
					s.quiet(began)
					if e := s.entries()[0]; e.Attempts > 7 {
						t.Errorf("%d attempts: it is not known that Centercode is away", e.Attempts)
					}
					s.clears(func() { s.sky.set(nil) })
					s.check(0)
				})
			})
		}
	}
}

// overnight is long enough for every wait to be as long as it gets.
const overnight = 3 * time.Hour

// quiet checks how many requests there were from the fifth minute of an outage.
func (s *station) quiet(began time.Time) {
	s.Helper()
	if most := s.sky.most(began.Add(6*time.Minute), 10*time.Minute); most > 20 {
		s.Errorf("%d requests in ten minutes, want at most 20", most)
	}
}
