package deadletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The scene of the fault tests: deliveries with one or two letters, most of which are
// replayed.
const (
	sceneDeliveries = 15
	sceneStays      = 3 // how many of them, the last ones, are not replayed
	sceneCopied     = 2 // how many of them, the first ones, have two letters
)

func wanted(l Letter) bool {
	for n := range sceneDeliveries - sceneStays {
		if l.DeliveryID == deliveryOf(n) {
			return true
		}
	}
	return false
}

func newScene(t *testing.T) *world {
	w := newWorld(t)
	for n := range sceneDeliveries {
		w.put(letter(t, n, 1))
		if n < sceneCopied {
			w.put(letter(t, n, 1))
		}
	}
	return w
}

// replayLate is a replay so slow that its letters must be renewed meanwhile.
func replayLate(ctx context.Context, q *Queue) (map[string]error, error) {
	h, letters, err := take(ctx, q)
	if err != nil {
		return nil, err
	}
	time.Sleep(firstHold - sendMargin)
	results := map[string]error{}
	cases := slices.DeleteFunc(Cases(letters), func(c Case) bool { return !wanted(c.Letter) })
	h.Replay(ctx, cases, 0, func(c Case, err error) { results[c.DeliveryID] = err })
	return results, h.Release(ctx)
}

// deliveries returns the number of messages of each delivery in a queue.
func (w *world) deliveries(url string) map[string]int {
	n := map[string]int{}
	for _, m := range w.all(url) {
		n[letterOf(m).DeliveryID]++
	}
	return n
}

// TestReplayWithAFaultAtEveryCall makes every call of a replay fail in every form. Whatever
// fails, letters that are not replayed stay, those reported as replayed are, nothing is
// lost, and the next run finishes the work. A message is in the work queue twice only if
// the reply to a send was lost, or the process died before the delete.
func TestReplayWithAFaultAtEveryCall(t *testing.T) {
	calls := map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		w := newScene(t)
		f := &faulty{Queues: w.SQS}
		results, err := replayLate(t.Context(), w.queue(f))
		if err != nil || len(results) != sceneDeliveries-sceneStays {
			t.Fatalf("without a fault: %d results, %v", len(results), err)
		}
		maps.Copy(calls, f.count)
	})
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		for n := 1; n <= calls[name]; n++ {
			for _, form := range forms {
				t.Run(fmt.Sprintf("%s %d %s", name, n, form), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { replayWithFault(t, &faulty{call: name, n: n, form: form}) })
				})
			}
		}
	}
	if len(calls) != 5 {
		t.Errorf("replay makes the calls %v, want all five of the interface", calls)
	}
}

func replayWithFault(t *testing.T, f *faulty) {
	w := newScene(t)
	f.Queues = w.SQS
	results, err := replayLate(t.Context(), w.queue(f))
	time.Sleep(longHold) // letters held by a dead process are visible by now
	dead, work := w.deliveries(w.dead), w.deliveries(w.work)
	w.invariants(dead, work)
	for id, err := range results {
		switch {
		case err == nil && (work[id] == 0 || dead[id] > 0):
			t.Errorf("%s reported as replayed: %d in the work queue, %d dead letters", id[:6], work[id], dead[id])
		case err != nil && !errors.Is(err, ErrNotRemoved) && dead[id] == 0:
			t.Errorf("%s reported as left (%v), but it is gone", id[:6], err)
		}
	}
	if f.form == failedCall || f.form == lostReply || f.form == partly {
		if err != nil || len(results) != sceneDeliveries-sceneStays {
			t.Errorf("one fault was not recovered from: %d results, %v", len(results), err)
		}
	}

	again, err := replayAll(t.Context(), w.queue(w.SQS), wanted)
	if err != nil {
		t.Errorf("the next run: %v", err)
	}
	for id, err := range again {
		if err != nil {
			t.Errorf("the next run left %s: %v", id[:6], err)
		}
	}
	dead, work = w.deliveries(w.dead), w.deliveries(w.work)
	w.invariants(dead, work)
	if len(dead) != sceneStays || len(work) != sceneDeliveries-sceneStays {
		t.Errorf("at the end %d deliveries have dead letters, %d are in the work queue", len(dead), len(work))
	}
	doubtful := f.call == "SendMessageBatch" && f.form != failedCall && f.form != downCall && f.form != partly ||
		f.call == "DeleteMessageBatch" || f.form == diedBefore || f.form == diedAfter
	for id, n := range work {
		if n > 1 && !doubtful || n > 1+tries {
			t.Errorf("%s is in the work queue %d times", id[:6], n)
		}
	}
}

// invariants checks what must hold after every step.
func (w *world) invariants(dead, work map[string]int) {
	w.t.Helper()
	for n := range sceneDeliveries {
		id := deliveryOf(n)
		switch stays := n >= sceneDeliveries-sceneStays; {
		case dead[id]+work[id] == 0:
			w.t.Errorf("delivery %d is lost", n)
		case stays && (dead[id] != 1 || work[id] != 0):
			w.t.Errorf("delivery %d should have stayed: %d dead letters, %d in the work queue", n, dead[id], work[id])
		}
	}
}

// TestALostResponseIsAwaited checks that a run waits for the letters of a lost receive to
// become visible again.
func TestALostResponseIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScene(t)
		h, letters, err := take(t.Context(), w.queue(&faulty{Queues: w.SQS, call: "ReceiveMessage", n: 1, form: lostReply}))
		if err != nil || len(letters) != sceneDeliveries+sceneCopied || h.Missing != 0 {
			t.Errorf("%d letters, %d missing: %v", len(letters), h.Missing, err)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestReleaseIsRetried(t *testing.T) {
	for _, form := range []form{failedCall, lostReply, partly} {
		synctest.Test(t, func(t *testing.T) {
			w := newScene(t)
			f := &faulty{Queues: w.SQS, call: "ChangeMessageVisibilityBatch", n: 1, form: form}
			h, _, err := take(t.Context(), w.queue(f))
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Release(t.Context()); err != nil {
				t.Errorf("%s: %v", form, err)
			}
			if got := len(w.all(w.dead)); got != sceneDeliveries+sceneCopied {
				t.Errorf("%s: %d are visible", form, got)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newScene(t)
		h, _, err := take(t.Context(), w.queue(&faulty{Queues: w.SQS, call: "ChangeMessageVisibilityBatch", n: 1, form: downCall}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Release(t.Context()); err == nil || !strings.Contains(err.Error(), "put 17 dead letters back") {
			t.Errorf("got %v", err)
		}
	})
}
