package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"fairbridge/pkg/home"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/internal/sleep"
)

// ErrNotRemoved means that a letter has been replayed, but is still in the dead-letter
// queue. Replaying it again does no harm: the ledger recognises it.
var ErrNotRemoved = errors.New("was replayed, but its dead letter could not be removed")

// Replay sends each case's letter to the work queue, and deletes the case's letters once
// the work queue has confirmed it. If the command dies in between, there are both. rate
// limits how many are sent a second, 0 for no limit. done is called with the result of
// each, one at a time: nil, [ErrNotRemoved], or why the letter stays.
//
// The bodies are sent as they are in the cases, so a case may have been edited.
func (h *Hold) Replay(ctx context.Context, cases []Case, rate float64, done func(Case, error)) {
	size := batchEntries
	if rate > 0 {
		size = min(batchEntries, max(1, int(rate)))
	}
	work := &replay{Hold: h, done: done, pace: pace{rate: rate}}
	sideBySide(home.Connections, chunks(cases, size, func(c Case) int {
		return messageBytes(c.Body, c.deliveryAttributes(c.ReplayCount()+1))
	}), func(cases []Case) { work.batch(ctx, cases) })
}

// replay is the state of one Replay.
type replay struct {
	*Hold
	pace pace
	// broken is an error of a whole batch: no further ones are started.
	broken atomic.Pointer[error]

	mu   sync.Mutex
	done func(Case, error)
}

func (r *replay) batch(ctx context.Context, cases []Case) {
	err := r.pace.wait(ctx, len(cases))
	if broken := r.broken.Load(); broken != nil {
		err = *broken
	}
	if err != nil {
		for _, c := range cases {
			r.tell(c, err)
		}
		return
	}
	// What has begun is finished even after Ctrl-C: not waiting for an answer would leave a
	// letter in both queues.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	held := cases[:0:0]
	for _, c := range cases {
		if !c.Kept {
			if err := r.secure(ctx, c.MessageID); err != nil {
				r.tell(c, err)
				continue
			}
		}
		held = append(held, c)
	}
	if held = r.announce(ctx, held); len(held) == 0 {
		return
	}
	errs, whole := r.send(ctx, held)
	if whole != nil {
		r.broken.Store(&whole)
	}
	sent := held[:0:0]
	for i, c := range held {
		if errs[i] != nil {
			r.tell(c, errs[i])
			continue
		}
		sent = append(sent, c)
	}
	for i, err := range r.remove(ctx, sent) {
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrNotRemoved, err)
		}
		r.tell(sent[i], err)
	}
}

// announce calls [Queue.Sends] for the next letters, and returns those that may be sent.
func (r *replay) announce(ctx context.Context, cases []Case) (sent []Case) {
	if r.q.Sends == nil {
		return cases
	}
	errs := make([]error, len(cases))
	var group sync.WaitGroup
	for i, c := range cases {
		group.Go(func() { errs[i] = r.q.Sends(ctx, c) })
	}
	group.Wait()
	for i, c := range cases {
		if errs[i] != nil {
			r.tell(c, errs[i])
			continue
		}
		sent = append(sent, c)
	}
	return sent
}

func (r *replay) tell(c Case, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done(c, err)
}

func (r *replay) send(ctx context.Context, cases []Case) (errs []error, whole error) {
	return sendLetters(ctx, r.q.API, r.q.WorkURL, len(cases), func(i int) (string, map[string]types.MessageAttributeValue) {
		c := cases[i]
		return c.Body, c.deliveryAttributes(c.ReplayCount() + 1)
	})
}

// sendLetters sends messages to a queue in one batch.
func sendLetters(ctx context.Context, api home.Queues, url string, n int, message func(int) (string, map[string]types.MessageAttributeValue)) (errs []error, whole error) {
	return batch(ctx, n, func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(url)}
		for _, i := range todo {
			body, attrs := message(i)
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
				Id: entryID(i), MessageBody: aws.String(body), MessageAttributes: attrs,
			})
		}
		out, err := api.SendMessageBatch(ctx, in, ownBody)
		if err != nil {
			return answer{}, fmt.Errorf("send to the queue: %w", err)
		}
		a := answer{failed: out.Failed}
		for _, s := range out.Successful {
			a.confirmed = append(a.confirmed, s.Id)
		}
		return a, nil
	})
}

// Remove deletes all letters of the cases, and calls done with the result of each, one at a
// time.
func (h *Hold) Remove(ctx context.Context, cases []Case, done func(Case, error)) {
	var mu sync.Mutex
	sideBySide(home.Connections, chunks(cases, batchEntries, nothing), func(cases []Case) {
		errs := h.remove(ctx, cases)
		mu.Lock()
		defer mu.Unlock()
		for i, c := range cases {
			done(c, errs[i])
		}
	})
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
	h.drop(ids)
	all := make([]error, len(cases))
	for start := 0; start < len(ids); start += batchEntries {
		end := min(start+batchEntries, len(ids))
		for i, err := range h.q.remove(ctx, receipts[start:end]) {
			all[of[start+i]] = errors.Join(all[of[start+i]], err)
		}
	}
	return all
}

func (q *Queue) remove(ctx context.Context, receipts []string) []error {
	errs, _ := batch(ctx, len(receipts), func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: aws.String(q.URL)}
		for _, i := range todo {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: aws.String(receipts[i])})
		}
		out, err := q.API.DeleteMessageBatch(ctx, in, ownBody)
		if err != nil {
			return answer{}, fmt.Errorf("delete dead letters: %w", err)
		}
		a := answer{failed: out.Failed}
		for _, s := range out.Successful {
			a.confirmed = append(a.confirmed, s.Id)
		}
		return a, nil
	})
	return errs
}

// Add sends letters to the dead-letter queue, and calls done with the result of each, one
// at a time.
func (q *Queue) Add(ctx context.Context, letters []Letter, done func(Letter, error)) {
	var mu sync.Mutex
	sideBySide(home.Connections, chunks(letters, batchEntries, func(l Letter) int { return messageBytes(l.Body, l.attributes()) }), func(letters []Letter) {
		errs, _ := sendLetters(ctx, q.API, q.URL, len(letters), func(i int) (string, map[string]types.MessageAttributeValue) {
			return letters[i].Body, letters[i].attributes()
		})
		mu.Lock()
		defer mu.Unlock()
		for i, l := range letters {
			done(l, errs[i])
		}
	})
}

// pace limits the rate of letters.
type pace struct {
	rate float64 // per second; 0: no limit

	mu   sync.Mutex
	next time.Time
}

// wait waits until n more letters may be sent.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	p.mu.Unlock()
	return sleep.For(ctx, at.Sub(now))
}
