package bridge

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPowerCuts: three times the power goes while every worker process has all in
// hand that it can have, and what an earlier cut has interrupted as well. None of the
// deliveries is blamed for it; without a look-up, those whose ticket was under way
// are in doubt.
func TestPowerCuts(t *testing.T) {
	const cuts = 3
	for _, tc := range []struct {
		name     string
		lookedUp bool
		doubtful int
	}{{"looked up", true, 0}, {"parked", false, cuts * underWay}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, site{stack: true, lookedUp: tc.lookedUp})
				defer s.stop()
				var hanging atomic.Int32
				hang := func(sky *sky, r *http.Request) (*http.Response, error) {
					if rand.N(2) == 0 {
						_, _ = sky.fine(r) // carried out, and nobody hears of it
					}
					sky.wrote(r)
					hanging.Add(1)
					defer hanging.Add(-1)
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				s.sky.set(hang)
				for range cuts {
					time.Sleep(time.Second)
					s.send(underWay)
					time.Sleep(10 * time.Second)
					if n := hanging.Load(); n != underWay {
						t.Errorf("%d requests under way at the cut, want %d", n, underWay)
					}
					s.lambda.cut()
				}
				// What was interrupted comes back, each alone in its process, and is
				// interrupted again.
				for range cuts {
					for hanging.Load() == 0 {
						time.Sleep(5 * time.Second)
					}
					t.Logf("%d requests of what came back are under way at a cut", hanging.Load())
					s.lambda.cut()
				}
				s.sky.set(nil)
				time.Sleep(6 * time.Hour) // until the next goes first, and its longest wait
				s.check(tc.doubtful)
			})
		})
	}
}
