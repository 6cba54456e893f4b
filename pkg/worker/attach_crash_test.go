package worker_test

import (
	"strings"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// TestDeathDuringAnUpload: without a response nobody knows whether Centercode has
// the file. With onLostAnswer: retry it is sent again; otherwise a person decides. In the
// end it is attached once, complete.
func TestDeathDuringAnUpload(t *testing.T) {
	for _, retry := range []bool{true, false} {
		route := largeRoute
		if !retry {
			route = strings.Replace(route, "element: log", "element: log, onLostAnswer: park", 1)
		}
		w := newWorld(t, route)
		proc := w.start(nil)
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Drop: true, ReadFirst: 1 << 20,
			Match: func(c centercodesim.Call) bool {
				if c.Element == "log" {
					proc.die()
				}
				return c.Element == "log"
			}})
		id := w.send(feedback(1))
		messages := w.receive(w.work)
		_, err := proc.handler.Handle(t.Context(), eventOf(messages))
		w.must(err)
		w.files(id, "screenshot")
		if e := w.entry(id); e.Attaching != "log" {
			t.Fatalf("entry %+v", e)
		}

		outcomes := w.settle(nil)
		last := outcomes[len(outcomes)-1]
		if !retry {
			if l := w.onlyLetter(); last.Result != worker.Dead || l.Reason != queue.ReasonAmbiguous || l.Stage != "attach" {
				t.Errorf("outcome %+v, dead letter %+v", last, l)
			}
			w.settleParked(id)
			w.redrive()
			outcomes = w.settle(nil)
			last = outcomes[len(outcomes)-1]
		}
		if last.Result != worker.Created || last.Attachments != 1 {
			t.Errorf("outcome %+v", last)
		}
		w.files(id, "screenshot", "log")
		w.checkInvariants(id)
	}
}

// die ends the process: its calls have no effect anymore.
func (p *process) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}
