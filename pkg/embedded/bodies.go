package embedded

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"fairbridge/pkg/ingest"
)

const (
	// DefaultBodies bounds the memory for bodies to some 16 MB, and with their processing
	// to less than 100 MB.
	DefaultBodies = 16
	// bodyWait is how long a request waits for room: a burst passes within that time, and
	// TestFairy is not known to retry after a 503.
	bodyWait = 5 * time.Second
	// busyRetryAfter is the Retry-After of that 503.
	busyRetryAfter = 10 * time.Second
	// minBody is the minimum size that a body counts for: the event around it takes memory
	// as well.
	minBody = 4 << 10
)

// bodyRoom bounds the total size of bodies in memory.
type bodyRoom struct{ room *semaphore.Weighted }

func newBodyRoom(n int) *bodyRoom {
	return &bodyRoom{semaphore.NewWeighted(int64(n) * ingest.MaxPayloadBytes)}
}

// acquire waits for room for a body of the declared length, -1 if unknown. It fails if
// there is no room in time, or ctx ends.
func (b *bodyRoom) acquire(ctx context.Context, length int64) (done func(), err error) {
	if length < 0 || length > ingest.MaxPayloadBytes {
		length = ingest.MaxPayloadBytes
	}
	length = max(length, minBody)
	ctx, cancel := context.WithTimeout(ctx, bodyWait)
	defer cancel()
	if err := b.room.Acquire(ctx, length); err != nil {
		return nil, err
	}
	return func() { b.room.Release(length) }, nil
}
