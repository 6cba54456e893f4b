// Package embeddedtest helps to test programs that run in an embedded home.
package embeddedtest

import (
	"context"
	"fmt"
	"path"
	"time"

	"fairbridge/pkg/embedded"
)

// lookEvery is Settled's polling interval.
const lookEvery = 10 * time.Millisecond

// Settled waits until the work queue and the files queue of a home are empty, without
// visible, in-flight or delayed messages: every delivery is completed or a dead letter.
func Settled(ctx context.Context, h *embedded.Home) error {
	for {
		var left bool
		err := h.DB.Read().QueryRowContext(ctx, `SELECT EXISTS
			(SELECT 1 FROM messages JOIN queues ON queues.id = messages.queue WHERE queues.name IN (?, ?))`,
			path.Base(h.WorkQueueURL), path.Base(h.FilesQueueURL)).Scan(&left)
		if err != nil {
			return fmt.Errorf("wait until settled: %w", err)
		}
		if !left {
			return nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return fmt.Errorf("wait until settled: %w", ctx.Err())
		}
	}
}
