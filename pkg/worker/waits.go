package worker

import (
	"math/rand/v2"
	"time"

	"fairbridge/pkg/breaker"
)

// waits are how long a delivery waits after an attempt of its own that failed: at
// random in the upper half of a bound, so that deliveries that failed together do
// not come back together. Which row it is follows from how long it has waited so
// far; the cumulative column is the least that the rows above it add up to.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
//
// With 72 hours of patience that is some 390 attempts.
var waits = []struct{ waited, bound time.Duration }{
	{0, 2 * time.Second},
	{1 * time.Second, 4 * time.Second},
	{3 * time.Second, 8 * time.Second},
	{7 * time.Second, 16 * time.Second},
	{15 * time.Second, 32 * time.Second},
	{31 * time.Second, 64 * time.Second},
	{63 * time.Second, 128 * time.Second},
	{127 * time.Second, 256 * time.Second},
	{255 * time.Second, 512 * time.Second},
	{511 * time.Second, 15 * time.Minute},
}

const (
	// DefaultPatience is how long the waits after a delivery's own failed attempts
	// may be, taken together, before it becomes a dead letter.
	DefaultPatience = 72 * time.Hour
	// longestHandBack bounds the wait of a message that is handed back by no fault
	// of its delivery.
	longestHandBack = 30 * time.Second
	// longest is SQS's limit for a visibility timeout, counted from the receive.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
	longest = 12 * time.Hour
)

// retryWait is how long a delivery waits that has failed, having waited so long
// before, and whose message the queue has handed out so many times.
func retryWait(waited time.Duration, receives int) time.Duration {
	bound := waits[0].bound
	for _, row := range waits {
		if waited >= row.waited {
			bound = row.bound
		}
	}
	return upperHalf(bound, receives)
}

// handBackWait is how long a message waits that is handed back: twice as long
// each time at first.
func handBackWait(receives int) time.Duration {
	return upperHalf(min(waits[min(max(receives, 1), len(waits))-1].bound, longestHandBack), receives)
}

func upperHalf(bound time.Duration, receives int) time.Duration {
	if receives >= breaker.ManyReceives {
		bound = breaker.ManyWait
	}
	return bound - rand.N(bound/2)
}
