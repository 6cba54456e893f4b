package deadletter

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/queue"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestReplaySendsOneOfTheCopiesAndDeletesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stays := letter(t, 99, 1)
		w.put(letter(t, 1, 1), letter(t, 1, 2), letter(t, 1, 2), letter(t, 2, 1), stays)
		results, err := replayAll(t.Context(), w.queue(w.SQS), func(l Letter) bool { return l.DeliveryID != stays.DeliveryID })
		if err != nil || len(results) != 2 || results[deliveryOf(1)] != nil || results[deliveryOf(2)] != nil {
			t.Errorf("results %v, %v", results, err)
		}
		if left := w.letters(); len(left) != 1 || left[0].DeliveryID != stays.DeliveryID {
			t.Errorf("left are %+v", left)
		}
		sent := w.all(w.work)
		if len(sent) != 2 {
			t.Fatalf("%d were sent", len(sent))
		}
		for _, m := range sent {
			n, generation := 2, "1"
			if aws.ToString(m.MessageAttributes["deliveryId"].StringValue) == deliveryOf(1) {
				n, generation = 1, "2"
			}
			if aws.ToString(m.Body) != letter(t, n, 1).Body {
				t.Errorf("the body has changed: %s", aws.ToString(m.Body))
			}
			if got := aws.ToString(m.MessageAttributes["generation"].StringValue); got != generation {
				t.Errorf("delivery %d has generation %s", n, got)
			}
			// Generation 1 has no earlier replay, so this is replay number one; generation
			// 2 has one.
			if got := aws.ToString(m.MessageAttributes["replays"].StringValue); got != generation {
				t.Errorf("delivery %d has replay number %s", n, got)
			}
			if _, ok := m.MessageAttributes["reason"]; ok {
				t.Error("a replayed message still has its reason")
			}
		}
	})
}

func TestNotSentOnceNoLongerHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(letter(t, 1, 1))
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		h.stop() // as if the machine were suspended
		<-h.stopped
		time.Sleep(time.Minute)
		other, _, err := take(t.Context(), w.queue(w.SQS))
		if err != nil || other.Len() != 1 {
			t.Fatalf("another command gets %d: %v", other.Len(), err)
		}
		h.Replay(t.Context(), Cases(letters), 0, func(_ Case, err error) {
			if !errors.Is(err, errLost) {
				t.Errorf("got %v", err)
			}
		})
		for _, h := range []*Hold{h, other} {
			if err := h.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != 1 || work != 0 {
			t.Errorf("%d dead letters, %d sent", dead, work)
		}
	})
}

// TestRenewReturnsWhichIsLost checks that the errors are in the order of the letters.
func TestRenewReturnsWhichIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 45 {
			w.put(letter(t, i, 1))
		}
		h, _, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		h.stop() // it would renew them on its own
		<-h.stopped
		ids := slices.Sorted(maps.Keys(h.held))
		for _, i := range []int{3, 17, 40} {
			lost := h.held[ids[i]]
			lost.receipt = "of another receive"
			h.held[ids[i]] = lost
		}
		var errs []error
		for some := range slices.Chunk(ids, batchEntries) {
			errs = append(errs, h.renew(t.Context(), some)...)
		}
		for i, err := range errs {
			if want := i == 3 || i == 17 || i == 40; errors.Is(err, errLost) != want || !want && err != nil {
				t.Errorf("letter %d: %v", i, err)
			}
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRate(t *testing.T) {
	for _, tc := range []struct {
		rate float64
		n    int
		want time.Duration // until the last send
	}{{20, 100, 4500 * time.Millisecond}, {2, 6, 2 * time.Second}, {0.5, 3, 4 * time.Second}, {0, 100, 0}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			for i := range tc.n {
				w.put(letter(t, i, 1))
			}
			h, letters, err := take(t.Context(), w.queue(w.SQS))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			h.Replay(t.Context(), Cases(letters), tc.rate, func(c Case, err error) {
				if err != nil {
					t.Error(err)
				}
			})
			if took := time.Since(start); took < tc.want || took > tc.want+100*time.Millisecond {
				t.Errorf("%d at %g/s took %s, want %s", tc.n, tc.rate, took, tc.want)
			}
			if err := h.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnInterruptReleasesWhatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n = 40
		for i := range n {
			w.put(letter(t, i, 1))
		}
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		sent, left := 0, 0
		h.Replay(ctx, Cases(letters), 1, func(_ Case, err error) {
			if err == nil {
				sent++
				interrupt()
				return
			}
			if left++; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		if err := h.Release(ctx); err != nil {
			t.Error(err)
		}
		if sent == 0 || sent+left != n {
			t.Errorf("%d sent, %d left", sent, left)
		}
		if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != left || work != sent {
			t.Errorf("reported %d left, %d sent; got %d dead letters and %d in the work queue", left, sent, dead, work)
		}
	})
}

// TestLargeLetters checks that letters of the maximum size, which do not fit into one
// batch, are replayed.
func TestLargeLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 4 {
			l := letter(t, i, 1)
			l.Body = strings.Replace(l.Body, "Demo App", strings.Repeat("x", queue.MaxBodyBytes-len(l.Body)), 1)
			w.put(l)
		}
		results, err := replayAll(t.Context(), w.queue(w.SQS), everything)
		if err != nil || len(results) != 4 {
			t.Errorf("results %v, %v", results, err)
		}
		if got := len(w.all(w.work)); got != 4 {
			t.Errorf("%d were sent", got)
		}
	})
}
