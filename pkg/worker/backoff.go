package worker

import (
	"math/rand/v2"
	"sync"
	"time"
)

// How long a message waits after its n-th receive, at random up to (seconds):
//
//	n        1  2  3   4   5   6    7    8
//	up to    2  4  8  16  32  64  128  moved by the redrive policy
//
// so that seven retries spread over about two minutes on average and four at
// the most. What lasts longer says so with Retry-After, or is replayed.
const (
	backoffBase = 2 * time.Second
	backoffCap  = 15 * time.Minute
	// longest is SQS's limit for a visibility timeout, counted from the receive.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
	longest = 12 * time.Hour
)

// backoff is full jitter: a second, and spread evenly over the exponential bound
// on top, so that deliveries that failed together do not come back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(receives int) time.Duration {
	bound := backoffCap
	if shift := receives - 1; shift < 9 {
		bound = min(backoffCap, backoffBase<<max(shift, 0))
	}
	return rand.N(bound) + time.Second
}

// gate is shared by the records of one batch: when Centercode asks for time,
// those that have not sent their ticket wait too.
type gate struct {
	mu      sync.Mutex
	until   time.Time
	gaveWay time.Time // when a file last gave up: see giveWay
}

func (g *gate) closeUntil(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.After(g.until) {
		g.until = t
	}
}

func (g *gate) closedFor(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.until.Sub(now))
}
