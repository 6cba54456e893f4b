package worker

import (
	"math/rand/v2"
	"time"

	"fairbridge/pkg/breaker"
)

// waits are the delays after a delivery's own failed attempt: random, in the upper half of
// a bound, so that deliveries that failed together do not return together. The row is
// chosen by the sum of the delays so far; the cumulative column is the minimum of the rows
// above. See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
//
// With a patience of 72 hours that is some 390 attempts.
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
	// DefaultPatience is the default sum of the delays after a delivery's own failed
	// attempts, before it becomes a dead letter.
	DefaultPatience = 72 * time.Hour
	// longestHandBack bounds the delay of a message that is handed back through no fault of
	// its delivery.
	longestHandBack = 30 * time.Second
	// longest is SQS's limit for a visibility timeout, counted from the receive. See
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
	longest = 12 * time.Hour
)

// retryWait returns the delay of a failed delivery, given its delays so far and how often
// its message has been received.
func retryWait(waited time.Duration, receives int) time.Duration {
	bound := waits[0].bound
	for _, row := range waits {
		if waited >= row.waited {
			bound = row.bound
		}
	}
	return upperHalf(bound, receives)
}

// handBackWait returns the delay of a message that is handed back, which doubles at first.
func handBackWait(receives int) time.Duration {
	return upperHalf(min(waits[min(max(receives, 1), len(waits))-1].bound, longestHandBack), receives)
}

func upperHalf(bound time.Duration, receives int) time.Duration {
	if receives >= breaker.ManyReceives {
		bound = breaker.ManyWait
	}
	return bound - rand.N(bound/2)
}
