package attachment

import (
	"context"
	"time"
)

// idleTimer cancels an answer that makes no progress. It counts only the time between
// resume and pause.
type idleTimer struct {
	timeout time.Duration
	timer   *time.Timer
	used    time.Duration
	since   time.Time
}

// start makes the timer watch a new answer, paused.
func (t *idleTimer) start(timeout time.Duration, cancel context.CancelCauseFunc) {
	*t = idleTimer{timeout: timeout, timer: time.AfterFunc(timeout, func() { cancel(errSilent) })}
	t.timer.Stop()
}

func (t *idleTimer) resume() {
	t.since = time.Now()
	t.timer.Reset(t.timeout - t.used)
}

func (t *idleTimer) pause() {
	t.timer.Stop()
	t.used += time.Since(t.since)
}

// reset restores the full timeout after progress.
func (t *idleTimer) reset() { t.used = 0 }
