package queue

import (
	"context"
	"sync"
)

// Action is what to do with a letter.
type Action int

const (
	// Keep leaves the letter where it is.
	Keep Action = iota
	// Replay sends it to the work queue.
	Replay
)

// Each shows every letter to choose, once, and does what it answers.
func (q *DeadLetters) Each(ctx context.Context, choose func(Letter) Action) (replayed int, err error) {
	var mu sync.Mutex
	var chosen []Letter
	h, err := q.Take(ctx, func(l Letter) {
		mu.Lock()
		defer mu.Unlock()
		if choose(l) == Replay {
			chosen = append(chosen, l)
		}
	})
	if err != nil {
		return 0, err
	}
	h.Replay(ctx, Cases(chosen), 0, func(_ Case, failed error) {
		if failed == nil {
			replayed++
		} else if err == nil {
			err = failed
		}
	})
	if released := h.Release(ctx); err == nil {
		err = released
	}
	return replayed, err
}
