package embedded

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"fairbridge/pkg/ingest"
)

const (
	// DefaultBodies bounds what bodies take of the memory to some 16 MB, and
	// with what is made of them on their way to less than 100 MB.
	DefaultBodies = 16
	// bodyWait is how long a request waits for its turn: a burst passes within
	// that, and TestFairy is not known to send again what was answered 503.
	bodyWait = 5 * time.Second
	// busyRetryAfter is what the 503 asks for.
	busyRetryAfter = 10 * time.Second
	// minBody is what the shortest body counts for: the event around it takes
	// memory, too.
	minBody = 4 << 10
)

// bodyRoom bounds how many bytes of bodies are in memory at once.
type bodyRoom struct{ room *semaphore.Weighted }

func newBodyRoom(n int) *bodyRoom {
	return &bodyRoom{semaphore.NewWeighted(int64(n) * ingest.MaxPayloadBytes)}
}

// acquire waits for room for a body of the length that is declared, -1 for one
// that is not known. It fails if there is none in time, or ctx ends.
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
