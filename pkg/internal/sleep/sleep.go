// Package sleep waits no longer than its caller's context lets it.
package sleep

import (
	"context"
	"time"
)

// For waits for d and returns nil, or returns why ctx ended, be it before. A wait
// that ctx's deadline would cut short is not begun: the error is then
// [context.DeadlineExceeded], at once.
func For(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
