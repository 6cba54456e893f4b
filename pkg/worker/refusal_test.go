package worker_test

import (
	"fmt"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// refusals are success responses with a refusal inside, in forms that have been seen or
// that other servers use.
var refusals = []string{
	`{"status":400,"description":"Invalid submitter."}`, `{"Status":400,"Description":"Invalid submitter."}`, `{"status":"400","description":"no"}`,
	`{"success":false,"message":"no"}`, `{"error":"no"}`, `{"errors":[{"code":400,"description":"no"}]}`, `{"errcode":310000,"errmsg":"no"}`,
	`{"status":"fail","message":"no"}`, `{"ok":false,"message":"no"}`, `{"status":413,"description":"The file is too large."}`,
}

// TestRefusalWithinASuccess checks that a refusal inside a success is neither a ticket nor
// a file: it becomes a dead letter, and its replay sends the request again. In a look-up it
// does not cause a second ticket.
func TestRefusalWithinASuccess(t *testing.T) {
	for _, answer := range refusals {
		for op, routes := range map[centercodesim.Op]string{
			centercodesim.OpCreate: parkRoute, centercodesim.OpFile: parkRoute, centercodesim.OpPackage: lookUpRoute,
		} {
			t.Run(fmt.Sprint(op, " ", answer), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, routes)
				refusal := centercodesim.Fault{Op: op, Times: -1, Answer: answer}
				reason, tickets := queue.ReasonRejected, 1
				switch op {
				case centercodesim.OpCreate:
					tickets = 0
				case centercodesim.OpPackage:
					w.center.Inject(lostAnswer)
					reason = queue.ReasonAmbiguous
				}
				w.center.Inject(refusal)
				id := w.send(feedback(1))
				outcomes := w.settle(nil)
				l, e := w.onlyLetter(), w.entry(id)
				if last := outcomes[len(outcomes)-1]; last.Result != worker.Dead || l.Reason != reason || l.Description == "" {
					t.Errorf("outcome %+v, dead letter %+v", last, l)
				}
				if n := len(w.tickets(id)); n != tickets || e.State != ledger.Dead || len(e.Attached) != 0 {
					t.Errorf("%d tickets, want %d; entry %+v", n, tickets, e)
				}
				w.checkInvariants(id)
				w.center.Heal()
				w.redrive()
				w.settle(nil)
				w.checkInvariants(id)
				w.files(id, "screenshot")
				if n := w.count(w.dead); n != 0 {
					t.Errorf("replayed: %d dead letters", n)
				}
			})
		}
	}
}
