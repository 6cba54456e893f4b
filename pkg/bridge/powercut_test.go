package bridge

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPowerCuts kills every worker process three times, each while it has as many
// deliveries in flight as possible, including those that an earlier cut interrupted. No
// delivery is charged for it. Without a look-up, those whose ticket was being created are
// ambiguous.
func TestPowerCuts(t *testing.T) {
	const cuts = 3
	for _, tc := range []struct {
		name     string
		lookedUp bool
		doubtful int
	}{{"looked up", true, 0}, {"parked", false, cuts * underWay}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestBridge(t, site{stack: true, lookedUp: tc.lookedUp})
				defer s.stop()
				var hanging atomic.Int32
				hang := func(upstream *upstream, r *http.Request) (*http.Response, error) {
					if rand.N(2) == 0 {
						_, _ = upstream.forward(r) // carried out, but the response is lost
					}
					upstream.wrote(r)
					hanging.Add(1)
					defer hanging.Add(-1)
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				s.upstream.set(hang)
				for range cuts {
					time.Sleep(time.Second)
					s.send(underWay)
					time.Sleep(10 * time.Second)
					if n := hanging.Load(); n != underWay {
						t.Errorf("%d requests under way at the cut, want %d", n, underWay)
					}
					s.lambda.cut()
				}
				// Each interrupted delivery returns alone in its process, and is
				// interrupted again.
				for range cuts {
					for hanging.Load() == 0 {
						time.Sleep(5 * time.Second)
					}
					t.Logf("%d requests of returned messages are in flight at a cut", hanging.Load())
					s.lambda.cut()
				}
				s.upstream.set(nil)
				time.Sleep(6 * time.Hour) // until the next one goes first, plus its longest wait
				s.check(tc.doubtful)
			})
		})
	}
}
