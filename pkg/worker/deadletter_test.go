package worker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// TestDeadLetterIsWrittenOnce checks that there is one dead letter even if the reply to the
// mark, or the message's deletion after it, is lost. Only a worker that dies between the
// letter and the mark leaves a second one, of the same generation; replayed, both become
// one ticket.
func TestDeadLetterIsWrittenOnce(t *testing.T) {
	// The mark is the last write to the ledger.
	clean := &plan{}
	newRejected(t).settle(clean)
	var mark string
	for _, call := range clean.calls {
		if len(call) > 10 && call[:10] == "ledger.Put" {
			mark = call
		}
	}
	for _, tc := range []struct {
		at      string
		form    form
		letters int
	}{
		{"sqs.DeleteMessage#1", fails, 1},
		{"sqs.DeleteMessage#1", replyLost, 1},
		{"sqs.DeleteMessage#1", dies, 1},
		{"sqs.DeleteMessage#1", diesDone, 1},
		{mark, fails, 1},
		{mark, replyLost, 1},
		{mark, diesDone, 1},
		{mark, dies, 2},
		{"sqs.SendMessage#1", fails, 1},
		{"sqs.SendMessage#1", dies, 1},
		{"sqs.SendMessage#1", replyLost, 2},
		{"sqs.SendMessage#1", diesDone, 2},
	} {
		t.Run(tc.at+" "+string(tc.form), func(t *testing.T) {
			t.Parallel()
			w := newRejected(t)
			p := &plan{at: tc.at, form: tc.form}
			w.settle(p)
			letters := w.letters()
			if !p.met || len(letters) != tc.letters {
				t.Errorf("%d dead letters, want %d: %+v", len(letters), tc.letters, letters)
			}
			for _, l := range letters {
				if l.Reason != queue.ReasonRejected || l.Generation != 1 || l.Description == "" {
					t.Errorf("dead letter %+v", l)
				}
			}
			w.center.Heal()
			w.redrive()
			w.settle(nil)
			if n := len(w.center.Tickets()); n != 1 || w.count(w.dead) != 0 {
				t.Errorf("replayed: %d tickets, %d dead letters", n, w.count(w.dead))
			}
		})
	}
}

// newRejected returns a world in which one delivery is rejected for good.
func newRejected(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, parkRoute)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 400, Times: -1})
	w.send(feedback(1))
	return w
}

// TestOldCopyDuringAReplay checks that a message redelivered after its delivery became a
// dead letter is an old copy, even while the letter is being replayed.
func TestOldCopyDuringAReplay(t *testing.T) {
	w := newRejected(t)
	copies := w.copyOf(w.receive(w.work)[0])
	w.settle(nil)
	copies()
	w.settle(nil)
	if n := len(w.letters()); n != 1 {
		t.Errorf("%d dead letters after an old copy", n)
	}
	w.center.Heal()
	copies()
	w.redrive()
	w.settle(nil)
	if n := len(w.center.Tickets()); n != 1 || w.count(w.dead) != 0 {
		t.Errorf("%d tickets, %d dead letters", n, w.count(w.dead))
	}
	if e := w.entry(w.center.Tickets()[0].Fields["deliveryId"].(string)); e.State != ledger.Completed || e.Replays != 1 {
		t.Errorf("entry %+v", e)
	}
}

// TestReplaysAreCounted checks that each replay counts, whether SQS moved the message or a
// worker wrote the dead letter, and so does SQS's own redrive of a worker's letter.
func TestReplaysAreCounted(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.patience = time.Minute
	w.send(feedback(1))
	for n, step := range []struct {
		status int
		reason queue.Reason
	}{
		{500, queue.ReasonRetriesExhausted},
		{500, queue.ReasonRetriesExhausted},
		{400, queue.ReasonRejected},
		{404, queue.ReasonNotFound},
		{500, queue.ReasonRetriesExhausted},
		{400, queue.ReasonRejected},
	} {
		w.die(step.status)
		if l := w.replay(); l.Reason != step.reason || l.ReplayCount() != n {
			t.Errorf("replayed %d times, count is %d: %+v", n, l.ReplayCount(), l.DeadLetter)
		}
	}

	w = newWorld(t, parkRoute)
	w.patience = time.Minute
	w.send(feedback(1))
	w.die(400)
	w.redrive()
	w.die(400)
	w.redrive()
	w.die(500)
	if l := w.replay(); l.ReplayCount() != 2 {
		t.Errorf("redriven twice, count is %d: %+v", l.ReplayCount(), l.DeadLetter)
	}
}

// die turns the queued deliveries into dead letters: a status of 500 is retried until SQS
// moves the message.
func (w *world) die(status int) {
	w.Helper()
	w.center.Heal()
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: status, Times: -1})
	w.settle(nil)
}

// replay replays the only dead letter, as the command does, and returns it.
func (w *world) replay() deadletter.Letter {
	w.Helper()
	letters := make(chan deadletter.Letter, 10)
	hold, err := (&deadletter.Queue{API: w.sqs, URL: w.dead, WorkURL: w.work}).Take(w.Context(), func(l deadletter.Letter) { letters <- l })
	w.must(err)
	if len(letters) != 1 {
		w.Fatalf("%d dead letters", len(letters))
	}
	l := <-letters
	hold.Replay(w.Context(), []deadletter.Case{{Letter: l}}, 0, func(_ deadletter.Case, err error) { w.must(err) })
	w.must(hold.Release(w.Context()))
	return l
}

// replayAll replays all dead letters, as the command does.
func (w *world) replayAll() {
	w.Helper()
	if w.count(w.dead) == 0 {
		return
	}
	var mu sync.Mutex
	var letters []deadletter.Letter
	hold, err := (&deadletter.Queue{API: w.sqs, URL: w.dead, WorkURL: w.work}).Take(w.Context(), func(l deadletter.Letter) {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
	})
	w.must(err)
	hold.Replay(w.Context(), deadletter.Cases(letters), 0, func(_ deadletter.Case, err error) { w.must(err) })
	w.must(hold.Release(w.Context()))
}

// copyOf returns a function that delivers a message once more, as SQS may, with everything
// it had when it was received.
func (w *world) copyOf(m types.Message) func() {
	return func() {
		w.Helper()
		w.redeliver([]types.Message{m})
	}
}

// TestHeldTooLong checks that a delivery still being retried after 13 days becomes a dead
// letter, before SQS deletes it. A home whose queues keep messages forever continues to
// retry.
func TestHeldTooLong(t *testing.T) {
	for _, atMost := range []time.Duration{0, worker.HoldAtMost} {
		w := newWorld(t, parkRoute)
		w.holdAtMost = atMost
		id := w.send(feedback(1))
		messages := w.receive(w.work)
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 503, Times: -1})
		for _, days := range []int{12, 1} {
			if n := w.count(w.dead); n != 0 {
				t.Errorf("%d dead letters before the 13th day", n)
			}
			w.clock.Advance(time.Duration(days) * 24 * time.Hour)
			w.redeliver(messages)
		}
		if atMost == 0 {
			if n := w.count(w.dead); n != 0 {
				t.Errorf("%d dead letters although the queue keeps messages", n)
			}
			continue
		}
		if l := w.onlyLetter(); l.Reason != queue.ReasonHeldTooLong || l.Status != 503 || l.Stage != queue.StageCreate {
			t.Errorf("dead letter %+v", l)
		}
		w.center.Heal()
		w.redrive()
		w.settle(nil)
		w.checkInvariants(id)
	}
}

// redeliver passes messages to a worker as they were received.
func (w *world) redeliver(messages []types.Message) {
	w.Helper()
	_, err := w.start(nil).handler.Handle(w.Context(), eventOf(messages))
	w.must(err)
}
