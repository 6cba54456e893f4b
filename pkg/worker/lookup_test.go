package worker_test

import (
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/worker"
)

// TestLookUpIsRetried: a look-up only reads, so transient faults are retried, and
// nothing is parked.
func TestLookUpIsRetried(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault centercodesim.Fault
	}{
		{"answer broke off", centercodesim.Fault{Body: centercodesim.BodyTruncated, After: true}},
		{"dropped", centercodesim.Fault{Drop: true}},
		{"overloaded", centercodesim.Fault{Status: 429}},
		{"a gateway's timeout", centercodesim.Fault{Status: 504}},
		{"wrong key", centercodesim.Fault{Status: 403}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, lookUpRoute)
			tc.fault.Op = centercodesim.OpPackage
			w.center.Inject(lostAnswer)
			id := w.send(feedback(1))
			w.only(w.once())
			w.center.Inject(tc.fault)
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
