package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/time/rate"

	"fairbridge/pkg/home"
)

// ErrNotRemoved means that a letter has been replayed, but is still in the dead-letter
// queue. Replaying it again does no harm: the ledger recognises it.
var ErrNotRemoved = errors.New("was replayed, but its dead letter could not be removed")

// Replay sends each case's letter to the work queue, and deletes the case's letters once
// the work queue has confirmed it. If the command dies in between, there are both.
// perSecond limits how many are sent a second, 0 for no limit. done is called with the
// result of each, one at a time: nil, [ErrNotRemoved], or why the letter stays.
//
// The bodies are sent as they are in the cases, so a case may have been edited.
func (h *Hold) Replay(ctx context.Context, cases []Case, perSecond float64, done func(Case, error)) {
	size, limit := batchEntries, rate.Inf
	if perSecond > 0 {
		size, limit = min(batchEntries, max(1, int(perSecond))), rate.Limit(perSecond)
	}
	batches := chunks(cases, size, func(c Case) int { return messageBytes(c.Body, c.replayAttributes()) })
	pace := rate.NewLimiter(limit, size)
	var broken atomic.Pointer[error] // of a whole batch: no further ones are started
	inBatches(batches, func(cases []Case) []error {
		err := pace.WaitN(ctx, len(cases))
		if whole := broken.Load(); whole != nil {
			err = *whole
		}
		if err != nil {
			return slices.Repeat([]error{err}, len(cases))
		}
		errs, whole := h.replay(ctx, cases)
		if whole != nil {
			broken.Store(&whole)
		}
		return errs
	}, done)
}

// replay replays one batch; whole is set if sending it failed as a whole.
func (h *Hold) replay(ctx context.Context, cases []Case) (errs []error, whole error) {
	// What has begun is finished even after Ctrl-C: not waiting for an answer would leave a
	// letter in both queues.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	errs = make([]error, len(cases))
	var announced sync.WaitGroup
	for i, c := range cases {
		if !c.Kept {
			errs[i] = h.secure(ctx, c.MessageID)
		}
		if errs[i] == nil && h.q.Sends != nil {
			announced.Go(func() { errs[i] = h.q.Sends(ctx, c) })
		}
	}
	announced.Wait()
	whole = sendLetters(ctx, h.q.API, h.q.WorkURL, errs, func(i int) (string, map[string]types.MessageAttributeValue) {
		return cases[i].Body, cases[i].replayAttributes()
	})
	var sent []Case
	var at []int // their places in cases
	for i, c := range cases {
		if errs[i] == nil {
			sent, at = append(sent, c), append(at, i)
		}
	}
	for n, err := range h.remove(ctx, sent) {
		if err != nil {
			errs[at[n]] = fmt.Errorf("%w: %w", ErrNotRemoved, err)
		}
	}
	return errs, whole
}

// sendLetters sends those messages to a queue whose place in errs has no error, in one batch.
func sendLetters(ctx context.Context, api home.Queues, url string, errs []error, message func(int) (string, map[string]types.MessageAttributeValue)) (whole error) {
	return batch(ctx, errs, func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(url)}
		for _, i := range todo {
			body, attrs := message(i)
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
				Id: entryID(i), MessageBody: aws.String(body), MessageAttributes: attrs,
			})
		}
		out, err := api.SendMessageBatch(ctx, in, ownBody)
		if err != nil {
			return nil, fmt.Errorf("send to the queue: %w", err)
		}
		return answerOf(out.Successful, func(s types.SendMessageBatchResultEntry) *string { return s.Id }, out.Failed)
	})
}

// Remove deletes all letters of the cases, and calls done with the result of each, one at a
// time.
func (h *Hold) Remove(ctx context.Context, cases []Case, done func(Case, error)) {
	inBatches(tens(cases), func(cases []Case) []error { return h.remove(ctx, cases) }, done)
}

// remove deletes all letters of the cases. They are no longer held afterwards, even if that
// fails: a replayed letter must not be released.
func (h *Hold) remove(ctx context.Context, cases []Case) []error {
	var ids []string
	var of []int // the case of each id
	for i, c := range cases {
		if !c.Kept {
			ids, of = append(ids, c.MessageID), append(of, i)
		}
		for _, l := range c.Copies {
			ids, of = append(ids, l.MessageID), append(of, i)
		}
	}
	receipts := h.receipts(ids)
	h.mu.Lock()
	for _, id := range ids {
		delete(h.held, id)
	}
	h.mu.Unlock()
	all := make([]error, len(cases))
	for some := range slices.Chunk(receipts, batchEntries) {
		for i, err := range h.q.remove(ctx, some) {
			all[of[i]] = errors.Join(all[of[i]], err)
		}
		of = of[len(some):]
	}
	return all
}

func (q *Queue) remove(ctx context.Context, receipts []string) []error {
	errs := make([]error, len(receipts))
	_ = batch(ctx, errs, func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: aws.String(q.URL)}
		for _, i := range todo {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: aws.String(receipts[i])})
		}
		out, err := q.API.DeleteMessageBatch(ctx, in, ownBody)
		if err != nil {
			return nil, fmt.Errorf("delete dead letters: %w", err)
		}
		return answerOf(out.Successful, func(s types.DeleteMessageBatchResultEntry) *string { return s.Id }, out.Failed)
	})
	return errs
}

// Add sends letters to the dead-letter queue, and calls done with the result of each, one
// at a time.
func (q *Queue) Add(ctx context.Context, letters []Letter, done func(Letter, error)) {
	batches := chunks(letters, batchEntries, func(l Letter) int { return messageBytes(l.Body, l.attributes()) })
	inBatches(batches, func(letters []Letter) []error {
		errs := make([]error, len(letters))
		_ = sendLetters(ctx, q.API, q.URL, errs, func(i int) (string, map[string]types.MessageAttributeValue) {
			return letters[i].Body, letters[i].attributes()
		})
		return errs
	}, done)
}
