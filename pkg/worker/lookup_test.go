package worker_test

import (
	"testing"
	"time"

	"fairbridge/pkg/centercode/centercodetest"
	"fairbridge/pkg/worker"
)

// A look-up only reads: what may pass is tried again, and nothing is parked.
func TestLookUpIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault centercodetest.Fault
	}{
		{"answer broke off", centercodetest.Fault{Body: centercodetest.BodyTruncated, After: true}},
		{"dropped", centercodetest.Fault{Drop: true}},
		{"overloaded", centercodetest.Fault{Status: 429}},
		{"a gateway's timeout", centercodetest.Fault{Status: 504}},
		{"wrong key", centercodetest.Fault{Status: 403}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, lookUpRoute)
			tc.fault.Op = centercodetest.OpPackage
			w.center.Inject(lostAnswer, tc.fault)
			id := w.send(feedback(1))
			w.only(w.once())
			w.clock.Advance(time.Minute)
			if o := w.only(w.once()); o.Result != worker.Retry || o.Stage != "look_up" {
				t.Errorf("the look-up that failed: %+v", o)
			}
			w.settle(nil)
			if n := w.count(w.dead); n != 0 || w.center.Requests().Create != 1 {
				t.Errorf("%d dead letters, requests %+v", n, w.center.Requests())
			}
			w.checkInvariants(id)
		})
	}
}
