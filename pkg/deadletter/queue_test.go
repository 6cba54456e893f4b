package deadletter

import (
	"testing"
	"testing/synctest"
	"time"
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
			t.Fatalf("%d letters, %d missing, %d held: %v", len(letters), h.Missing, h.Len(), err)
		}
		if got := w.all(w.dead); len(got) != 0 {
			t.Errorf("while they are held another receives %d", len(got))
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

// TestTakenInParts checks that letters can be received and replayed in parts.
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
			if len(letters) > 30 { // receives return up to ten, and several run at once
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
			t.Errorf("waited %s needlessly", took)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if dead, work := len(w.all(w.dead)), len(w.all(w.work)); dead != stays || work != n-stays {
			t.Errorf("%d dead letters, %d sent", dead, work)
		}
	})
}

// TestARunEnds checks that a run ends even if the queue fills as fast as it is emptied.
func TestARunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(letter(t, 0, 1))
		h := w.queue(w.SQS).Open(t.Context())
		next := 1
		for more := true; more; {
			if next > 1000 {
				t.Fatal("the run does not end")
			}
			var letters []Letter
			var err error
			if letters, more, err = takeSome(t.Context(), h, 5); err != nil {
				t.Fatal(err)
			}
			h.Replay(t.Context(), Cases(letters), 0, func(Case, error) {
				for range 2 { // each replayed letter is replaced by two
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

func TestHeldForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 25 {
			w.put(letter(t, i, 1))
		}
		h, letters, err := take(t.Context(), w.queue(w.SQS))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 * 12 {
			time.Sleep(5 * time.Minute) // in the bubble's time
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

// TestTwoCommandsAtOnce checks that two commands share the letters: none is sent twice, and
// both know that they have not seen all.
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
			t.Fatalf("the second sees %d, missing %d: %v", len(letters), second.Missing, err)
		}
		if took := time.Since(start); took < briefly || took > briefly+5*time.Second {
			t.Errorf("waited %s", took)
		}
		for _, h := range []*Hold{first, second} {
			if err := h.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
