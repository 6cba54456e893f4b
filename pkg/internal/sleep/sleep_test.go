package sleep_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/internal/sleep"
)

func TestFor(t *testing.T) {
	ended := errors.New("ended")
	tests := []struct {
		name     string
		wait     time.Duration
		deadline time.Duration // 0: none
		end      time.Duration // when the context is cancelled; 0: never, below: before
		took     time.Duration
		err      error
	}{
		{"to its end", time.Minute, 0, 0, time.Minute, nil},
		{"nothing", 0, 0, 0, 0, nil},
		{"less than nothing", -time.Second, 0, 0, 0, nil},
		{"within the deadline", time.Minute, time.Hour, 0, time.Minute, nil},
		{"as long as the deadline lets it", time.Minute, time.Minute + 1, 0, time.Minute, nil},
		{"beyond the deadline", time.Minute + 1, time.Minute, 0, 0, context.DeadlineExceeded},
		{"cut short", time.Hour, 0, time.Second, time.Second, ended},
		{"ended before", time.Hour, 0, -1, 0, ended},
		{"ended before, and nothing to wait for", 0, 0, -1, 0, ended},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				switch {
				case tt.end < 0:
					cancel(ended)
				case tt.end > 0:
					time.AfterFunc(tt.end, func() { cancel(ended) })
				}
				if tt.deadline > 0 {
					var stop context.CancelFunc
					ctx, stop = context.WithTimeout(ctx, tt.deadline)
					defer stop()
				}
				began := time.Now()
				err := sleep.For(ctx, tt.wait)
				if took := time.Since(began); took != tt.took || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Errorf("took %v, %v; want %v, %v", took, err, tt.took, tt.err)
				}
			})
		})
	}
}
