package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestListingLeavesEveryLetterVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n = 137
		for i := range n {
			w.put(letter(t, i, 1))
		}
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil || len(letters) != n || h.Missing != 0 || h.Len() != n {
			t.Fatalf("%d letters, %d missing, %d in hand: %v", len(letters), h.Missing, h.Len(), err)
		}
		if got := w.all(w.dead); len(got) != 0 {
			t.Errorf("while they are in hand another gets %d", len(got))
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if got := w.all(w.dead); len(got) != n {
			t.Errorf("%d letters are visible, want %d", len(got), n)
		}
	})
}

func TestAnEmptyQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil || len(letters) != 0 || h.Missing != 0 {
			t.Errorf("%d letters, %d missing: %v", len(letters), h.Missing, err)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatSQSMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plain, redriven := letter(t, 1, 0), letter(t, 2, 1)
		_, err := w.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: &w.dead, MessageBody: &plain.Body, MessageAttributes: DeliveryAttributes(plain.DeliveryID, "feedback"),
		})
		if err != nil {
			t.Fatal(err)
		}
		l := letterOf(w.all(w.dead)[0])
		if l.Reason != ReasonRetriesExhausted || l.DeliveryID != plain.DeliveryID || l.ReplayCount() != 0 || !l.DiedAt().Equal(l.SentAt) {
			t.Errorf("moved on its first way: %+v", l)
		}
		// SQS's redrive keeps a letter's attributes. When it runs out of receives
		// they are old news, but the generation stays.
		l = letterOf(types.Message{
			MessageAttributes: redriven.attributes(), Body: &redriven.Body,
			Attributes: map[string]string{"DeadLetterQueueSourceArn": "arn:aws:sqs:x", "SentTimestamp": "1000"},
		})
		if l.Reason != ReasonRetriesExhausted || l.Description != "" || l.Status != 0 || l.Generation != 1 || l.ReplayCount() != 1 {
			t.Errorf("moved after a redrive: %+v", l)
		}
	})
}

func TestALetterWithoutAttributesHasTheIDThatTheWorkerGivesIt(t *testing.T) {
	own := letter(t, 1, 0)
	if l := letterOf(types.Message{Body: &own.Body}); l.DeliveryID != own.DeliveryID {
		t.Errorf("one of ours has the id %s", l.DeliveryID)
	}
	if l := letterOf(types.Message{Body: aws.String("hello")}); l.DeliveryID != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Errorf("another has the id %s", l.DeliveryID) // the SHA-256 of its body
	}
}

func TestCopiesAreOneCase(t *testing.T) {
	at := func(l Letter, id string, seconds int) Letter {
		l.MessageID, l.SentAt = id, died.Add(time.Duration(seconds)*time.Second)
		return l
	}
	old, first, second := at(letter(t, 7, 1), "old", 1), at(letter(t, 7, 2), "first", 2), at(letter(t, 7, 2), "second", 3)
	replayed := at(letter(t, 7, 2), "replayed", 0)
	replayed.Replays = 3
	early := at(letter(t, 3, 1), "early", 9)
	cases := Cases([]Letter{first, old, replayed, second, early})
	if len(cases) != 2 || cases[0].MessageID != "early" || cases[1].MessageID != "replayed" || cases[1].Count() != 4 || cases[0].Count() != 1 {
		t.Errorf("got %+v", cases)
	}
	if got := Cases([]Letter{old, second, first})[0].MessageID; got != "second" {
		t.Errorf("of two copies %q goes on", got)
	}
}

func TestReplaySendsOneOfTheCopiesAndDeletesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stays := letter(t, 99, 1)
		w.put(letter(t, 1, 1), letter(t, 1, 2), letter(t, 1, 2), letter(t, 2, 1), stays)
		said, err := replayAll(t.Context(), w.queue(w.SQS), func(l Letter) bool { return l.DeliveryID != stays.DeliveryID })
		if err != nil || len(said) != 2 || said[deliveryOf(1)] != nil || said[deliveryOf(2)] != nil {
			t.Errorf("said %v, %v", said, err)
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
			// Its first generation means none before, so this is replay number
			// one; its second means one before.
			if got := aws.ToString(m.MessageAttributes["replays"].StringValue); got != generation {
				t.Errorf("delivery %d says it is replay number %s", n, got)
			}
			if _, ok := m.MessageAttributes["reason"]; ok {
				t.Error("a replayed message has its old reason")
			}
		}
	})
}

// Letters can be taken in hand and replayed a part at a time.
func TestTakenInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n, stays = 95, 7
		for i := range n {
			w.put(letter(t, i, 1))
		}
		start := time.Now()
		h := w.queue(w.SQS).Open(t.Context())
		parts, replayed := 0, 0
		for more := true; more; parts++ {
			var letters []Letter
			var err error
			letters, more, err = takeSome(t.Context(), h, 20)
			if err != nil {
				t.Fatal(err)
			}
			if len(letters) > 30 { // they come by ten, to several at once
				t.Errorf("%d letters at once", len(letters))
			}
			if parts == 0 {
				letters = letters[stays:]
			}
			h.Replay(t.Context(), Cases(letters), 0, func(_ Case, err error) {
				if err != nil {
					t.Error(err)
				}
				replayed++
			})
		}
		if h.Missing != 0 || h.Counted != n || replayed != n-stays {
			t.Errorf("%d counted, %d missing, %d replayed", h.Counted, h.Missing, replayed)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("waited %s for nothing", took)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != stays || work != n-stays {
			t.Errorf("%d dead letters, %d sent", dead, work)
		}
	})
}

// A queue that fills as fast as it is emptied is left at some point.
func TestARunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(letter(t, 0, 1))
		h := w.queue(w.SQS).Open(t.Context())
		next := 1
		for more := true; more; {
			if next > 1000 {
				t.Fatal("it goes on and on")
			}
			var letters []Letter
			var err error
			if letters, more, err = takeSome(t.Context(), h, 5); err != nil {
				t.Fatal(err)
			}
			h.Replay(t.Context(), Cases(letters), 0, func(Case, error) {
				for range 2 { // each that goes brings two
					w.put(letter(t, next, 1))
					next++
				}
			})
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestInHandForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 25 {
			w.put(letter(t, i, 1))
		}
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 * 60 {
			time.Sleep(time.Minute) // the bubble's time
			if got := w.all(w.dead); len(got) != 0 {
				t.Fatalf("%d are visible", len(got))
			}
		}
		h.Replay(t.Context(), Cases(letters), 0, func(c Case, err error) {
			if err != nil {
				t.Errorf("%s: %v", c.DeliveryID, err)
			}
		})
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != 0 || work != 25 {
			t.Errorf("%d dead letters, %d sent", dead, work)
		}
	})
}

func TestNotSentWhatIsNoLongerInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(letter(t, 1, 1))
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		h.stop() // as if the machine slept
		<-h.stopped
		time.Sleep(time.Minute)
		other, _, err := take(t.Context(), w.queue(w.SQS))
		if err != nil || other.Len() != 1 {
			t.Fatalf("another command gets %d: %v", other.Len(), err)
		}
		h.Replay(t.Context(), Cases(letters), 0, func(_ Case, err error) {
			if !errors.Is(err, errLost) {
				t.Errorf("said %v", err)
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

func TestRate(t *testing.T) {
	for _, tc := range []struct {
		rate float64
		n    int
		want time.Duration // to the last one
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

func TestAnInterruptPutsBackWhatIsNotSent(t *testing.T) {
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
			t.Errorf("said %d left, %d sent; there are %d dead letters and %d in the work queue", left, sent, dead, work)
		}
	})
}

// Letters of the largest size do not fit together into one call.
func TestLargeLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 4 {
			l := letter(t, i, 1)
			l.Body = strings.Replace(l.Body, "Demo App", strings.Repeat("x", MaxBodyBytes-len(l.Body)), 1)
			w.put(l)
		}
		said, err := replayAll(t.Context(), w.queue(w.SQS), everything)
		if err != nil || len(said) != 4 {
			t.Errorf("said %v, %v", said, err)
		}
		if got := len(w.all(w.work)); got != 4 {
			t.Errorf("%d were sent", got)
		}
	})
}

// Two commands at once share the letters: none is sent twice, and both know that
// they have not seen all.
func TestTwoCommandsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 30 {
			w.put(letter(t, i, 1))
		}
		first, _, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		w.put(letter(t, 30, 1))
		start := time.Now()
		second, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil || len(letters) != 1 || second.Missing != 30 {
			t.Fatalf("the second sees %d and misses %d: %v", len(letters), second.Missing, err)
		}
		if took := time.Since(start); took < briefly || took > briefly+5*time.Second {
			t.Errorf("it waited %s", took)
		}
		for _, h := range []*Hold{first, second} {
			if err := h.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
