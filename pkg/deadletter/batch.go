package deadletter

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"fairbridge/pkg/internal/sleep"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

const (
	// batchEntries is what SQS takes in one call.
	batchEntries = 10
	// batchBytes is what SQS takes in one call, attributes included.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	batchBytes = 1 << 20
	// tries is how often an entry is put into a batch. The SDK repeats a call
	// that failed as a whole, but not the entries that failed in one that
	// succeeded.
	tries = 3
	// tryAgain is how long the first repetition waits at most.
	tryAgain = 200 * time.Millisecond
)

// EntryError is what SQS says of an entry of a batch that it refused.
type EntryError struct {
	// Code is SQS's, such as ReceiptHandleIsInvalid.
	Code    string
	Message string
	// SenderFault means that trying again is of no use.
	SenderFault bool
}

// Error implements error.
func (e *EntryError) Error() string { return e.Code + ": " + e.Message }

// answer is what a batch call says of its entries, by their ids.
type answer struct {
	confirmed []*string
	failed    []types.BatchResultErrorEntry
}

// errNoAnswer says that a batch's answer passed over an entry.
var errNoAnswer = errors.New("the queue's answer does not mention it")

// batch makes a batch call for n entries, and again for those that failed by no
// fault of their own. call gets the entries that are left to do, and uses entryID as
// their ids. The errors are in the order of the entries: only what is nil has
// been confirmed; whole says that the last call failed altogether.
func batch(ctx context.Context, n int, call func(ctx context.Context, todo []int) (answer, error)) (errs []error, whole error) {
	errs = make([]error, n)
	todo := make([]int, n)
	for i := range todo {
		todo[i] = i
	}
	for try := 1; ; try++ {
		var out answer
		out, whole = call(ctx, todo)
		todo = settle(errs, todo, out, whole)
		if len(todo) == 0 || try == tries || !pause(ctx, tryAgain<<try) {
			return errs, whole
		}
	}
}

// settle writes down what an answer says of the entries, and returns those to
// try again.
func settle(errs []error, todo []int, out answer, whole error) (again []int) {
	said := map[int]error{}
	for _, f := range out.failed {
		said[entryIndex(f.Id)] = &EntryError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message), SenderFault: f.SenderFault}
	}
	for _, id := range out.confirmed {
		said[entryIndex(id)] = nil
	}
	for _, i := range todo {
		err, mentioned := said[i]
		switch {
		case whole != nil:
			err = whole
		case !mentioned:
			err = errNoAnswer
		}
		errs[i] = err
		if err != nil && !senderFault(err) {
			again = append(again, i)
		}
	}
	return again
}

// entryID names the i-th entry of a batch.
func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

// entryIndex reads an id back; -1 is none of ours.
func entryIndex(id *string) int {
	n, err := strconv.Atoi(aws.ToString(id))
	if err != nil {
		return -1
	}
	return n
}

func senderFault(err error) bool {
	var entry *EntryError
	return errors.As(err, &entry) && entry.SenderFault
}

// pause waits at random up to a bound, and says whether the context still runs.
func pause(ctx context.Context, most time.Duration) bool {
	return sleep.For(ctx, rand.N(most)) == nil
}

// chunks cuts a list into batches of at most size entries and batchBytes bytes.
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

// sideBySide runs work for each of a list, at most so many at once.
func sideBySide[T any](most int, list []T, work func(T)) {
	var group errgroup.Group
	group.SetLimit(most)
	for _, one := range list {
		group.Go(func() error {
			work(one)
			return nil
		})
	}
	_ = group.Wait() // work reports for itself
}

func messageBytes(body string, attrs map[string]types.MessageAttributeValue) int {
	n := len(body)
	for name, a := range attrs {
		n += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue))
	}
	return n
}

func nothing[T any](T) int { return 0 }
