// Package sleep waits until a time has passed or a context ends.
package sleep

import (
	"context"
	"time"
)

// For waits for d and returns nil, or returns why ctx ended first. If ctx's deadline comes
// before d has passed, it returns [context.DeadlineExceeded] at once.
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
