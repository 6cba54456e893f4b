package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/terminal"
)

const (
	// longHold is the visibility timeout of a letter that is held for a while. If the
	// command dies, its letters are visible again after that time.
	longHold = 10 * time.Minute
	// A hold is renewed when less than renewBelow (for a first hold) or renewLongBelow (for
	// a long one) is left of it.
	renewBelow     = 20 * time.Second
	renewLongBelow = 5 * time.Minute
	// renewEvery is how often that is checked.
	renewEvery = 2 * time.Second
	// sendMargin is what must be left of a hold when a letter is sent: enough to delete it
	// before anybody else receives it.
	sendMargin = 10 * time.Second
	// releaseTimeout bounds releasing letters, which also happens after an interrupt.
	releaseTimeout = 30 * time.Second
)

// errLost means that this command no longer holds a letter.
var errLost = errors.New("the dead letter was held too long and has become visible again")

// Hold is the letters that a command has received and holds. It renews their visibility
// timeout until it is released.
type Hold struct {
	// Counted is how many letters the queue reported at first.
	Counted int
	// Missing is how many letters the queue reported but did not return.
	Missing int

	q        *Queue
	rounds   int
	visiting sync.Mutex
	visited  atomic.Int64
	stop     context.CancelFunc
	stopped  chan struct{}
	// doubt is set if an answer with letters may have been lost.
	doubt atomic.Bool

	mu   sync.Mutex
	held map[string]lease // by message id
	// seen are the deliveries whose letters have been held.
	seen map[string]bool
}

// lease is a letter's receipt handle, and until when the letter is certainly held.
type lease struct {
	receipt string
	until   time.Time
	long    bool
}

// Open returns an empty hold. The caller must call [Hold.Release].
func (q *Queue) Open(ctx context.Context) *Hold {
	ctx, stop := context.WithCancel(ctx)
	h := &Hold{q: q, stop: stop, stopped: make(chan struct{}), held: map[string]lease{}, seen: map[string]bool{}}
	go func() {
		defer close(h.stopped)
		every := time.NewTicker(renewEvery)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				sideBySide(home.Connections, tens(h.due(time.Now())), func(ids []string) func() {
					h.renew(ctx, ids)
					return nil
				})
			}
		}
	}()
	return h
}

// Len returns how many letters are held.
func (h *Hold) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// Release makes all held letters visible again at once, even if ctx has ended.
func (h *Hold) Release(ctx context.Context) error {
	h.stop()
	<-h.stopped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	h.mu.Lock()
	ids := make([]string, 0, len(h.held))
	for id, l := range h.held {
		if time.Now().Before(l.until) { // otherwise another command may have it
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()

	var first error
	failed := 0
	inBatches(tens(ids), func(ids []string) []error { return h.hide(ctx, ids, 0) }, func(_ string, err error) {
		// A letter whose receipt handle is no longer valid is visible already, or gone.
		if err != nil && !senderFault(err) {
			failed, first = failed+1, err
		}
	})
	h.mu.Lock()
	clear(h.held)
	h.mu.Unlock()
	if failed > 0 {
		return fmt.Errorf("put %s back, which SQS does within %s: %w", terminal.Count(failed, "dead letter"), longHold, first)
	}
	return nil
}

// add holds a letter, and reports whether it was not held yet.
func (h *Hold) add(id, receipt string, until time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.held[id]
	h.held[id] = lease{receipt: receipt, until: until}
	if !known {
		h.visited.Add(1)
	}
	return !known
}

// see records that a delivery's letter has been held. A nil Hold ignores it.
func (h *Hold) see(delivery string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[delivery] = true
}

func (h *Hold) saw(delivery string) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[delivery]
}

// receipts returns the receipt handles of letters, "" for those not held.
func (h *Hold) receipts(ids []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = h.held[id].receipt
	}
	return all
}

// due returns the letters whose visibility timeout has to be renewed.
func (h *Hold) due(now time.Time) (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, l := range h.held {
		below := renewBelow
		if l.long {
			below = renewLongBelow
		}
		if l.until.Sub(now) < below {
			ids = append(ids, id)
		}
	}
	return ids
}

// secure makes sure that a letter is held long enough to be sent and deleted.
func (h *Hold) secure(ctx context.Context, id string) error {
	h.mu.Lock()
	l, ok := h.held[id]
	h.mu.Unlock()
	switch {
	case !ok:
		return errLost
	case time.Until(l.until) >= sendMargin:
		return nil
	}
	return h.renew(ctx, []string{id})[0]
}

// renew hides at most ten letters for longer, and stops holding those that SQS no longer
// knows as held. Its errors are in the order of the ids.
func (h *Hold) renew(ctx context.Context, ids []string) []error {
	began := time.Now()
	errs := h.hide(ctx, ids, longHold)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, id := range ids {
		l, held := h.held[id]
		switch {
		case errs[i] == nil && held:
			l.until, l.long = began.Add(longHold), true
			h.held[id] = l
		case senderFault(errs[i]):
			delete(h.held, id)
			errs[i] = errLost
		}
	}
	return errs
}

// hide sets the visibility timeout of letters.
func (h *Hold) hide(ctx context.Context, ids []string, long time.Duration) []error {
	receipts := h.receipts(ids)
	errs := make([]error, len(ids))
	_ = batch(ctx, errs, func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(h.q.URL)}
		for _, i := range todo {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: entryID(i), ReceiptHandle: aws.String(receipts[i]), VisibilityTimeout: int32(long / time.Second),
			})
		}
		out, err := h.q.API.ChangeMessageVisibilityBatch(ctx, in, ownBody)
		if err != nil {
			return nil, fmt.Errorf("change the visibility of dead letters: %w", err)
		}
		return answerOf(out.Successful, func(s types.ChangeMessageVisibilityBatchResultEntry) *string { return s.Id }, out.Failed)
	})
	return errs
}
