package deadletter

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/internal/sleep"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

const (
	// batchEntries is the maximum number of entries of a batch call.
	batchEntries = 10
	// batchBytes is the maximum size of a batch call, attributes included. See
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	batchBytes = 1 << 20
	// tries is how often an entry is sent. The SDK retries a call that failed as a whole,
	// but not the failed entries of a call that succeeded.
	tries = 3
	// tryAgain is the maximum delay before the first retry.
	tryAgain = 200 * time.Millisecond
)

// entryError is SQS's error for an entry of a batch.
type entryError struct{ types.BatchResultErrorEntry }

func (e entryError) Error() string { return aws.ToString(e.Code) + ": " + aws.ToString(e.Message) }

// answer is what a batch call's answer says of each entry, by its id: nil if it is confirmed.
type answer map[string]error

// answerOf returns the answer to a call that did not fail as a whole.
func answerOf[S any](confirmed []S, id func(S) *string, failed []types.BatchResultErrorEntry) (answer, error) {
	said := answer{}
	for _, f := range failed {
		said[aws.ToString(f.Id)] = entryError{f}
	}
	for _, s := range confirmed {
		said[aws.ToString(id(s))] = nil
	}
	return said, nil
}

// errNoAnswer means that a batch's answer did not include an entry.
var errNoAnswer = errors.New("the queue's answer does not mention it")

// batch makes a batch call for the entries without an error in errs, and retries those that
// failed through no fault of their own. call gets the remaining entries, and uses entryID for
// their ids. Afterwards only an entry without an error is confirmed; whole is set if the last
// call failed as a whole.
func batch(ctx context.Context, errs []error, call func(ctx context.Context, todo []int) (answer, error)) (whole error) {
	var todo []int
	for i, err := range errs {
		if err == nil {
			todo = append(todo, i)
		}
	}
	for try := 1; len(todo) > 0; try++ {
		var said answer
		said, whole = call(ctx, todo)
		todo = slices.DeleteFunc(todo, func(i int) bool {
			err, mentioned := said[*entryID(i)]
			switch {
			case whole != nil:
				err = whole
			case !mentioned:
				err = errNoAnswer
			}
			errs[i] = err
			return err == nil || senderFault(err)
		})
		if try == tries || len(todo) > 0 && !pause(ctx, tryAgain<<try) {
			break
		}
	}
	return whole
}

// entryID returns the id of the i-th entry of a batch.
func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

func senderFault(err error) bool {
	entry, ok := errors.AsType[entryError](err)
	return ok && entry.SenderFault
}

// pause waits for a random time up to most, and reports whether the context is still
// active.
func pause(ctx context.Context, most time.Duration) bool {
	return sleep.For(ctx, rand.N(most)) == nil
}

// tens splits a list into batches.
func tens[T any](list []T) [][]T { return slices.Collect(slices.Chunk(list, batchEntries)) }

// chunks splits a list into batches of at most size entries and batchBytes bytes.
func chunks[T any](list []T, size int, bytes func(T) int) [][]T {
	var all [][]T
	start, sum := 0, 0
	for i, e := range list {
		n := bytes(e)
		if i > start && (i-start == size || sum+n > batchBytes) {
			all = append(all, list[start:i])
			start, sum = i, 0
		}
		sum += n
	}
	if start < len(list) {
		all = append(all, list[start:])
	}
	return all
}

// sideBySide calls work for each element of a list, up to most at the same time. The
// functions that work returns for the results, nil for none, are called one at a time.
func sideBySide[T any](most int, list []T, work func(T) (finish func())) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(most)
	for _, one := range list {
		group.Go(func() error {
			if finish := work(one); finish != nil {
				mu.Lock()
				defer mu.Unlock()
				finish()
			}
			return nil
		})
	}
	_ = group.Wait() // work reports its own errors
}

// inBatches calls work for batches of a list, several at the same time, and then done with
// each element's result, one at a time.
func inBatches[T any](batches [][]T, work func([]T) []error, done func(T, error)) {
	sideBySide(home.Connections, batches, func(batch []T) func() {
		errs := work(batch)
		return func() {
			for i, one := range batch {
				done(one, errs[i])
			}
		}
	})
}

func messageBytes(body string, attrs map[string]types.MessageAttributeValue) int {
	n := len(body)
	for name, a := range attrs {
		n += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue))
	}
	return n
}
