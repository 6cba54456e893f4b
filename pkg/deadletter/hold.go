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
	// longHold is how long a letter is invisible that is in hand for a while. If
	// the command dies, its letters are back in their place after that time.
	longHold = 10 * time.Minute
	// renewBelow is what must be left of a first hold, renewLongBelow of a long
	// one; less is renewed.
	renewBelow     = 20 * time.Second
	renewLongBelow = 5 * time.Minute
	// renewEvery is how often that is looked after.
	renewEvery = 2 * time.Second
	// sendMargin is what must be left when a letter is sent: enough to delete it
	// before anybody else gets it.
	sendMargin = 10 * time.Second
	// releaseTimeout bounds putting letters back, which also happens after an
	// interrupt.
	releaseTimeout = 30 * time.Second
)

// errLost says that a letter is no longer in this command's hands.
var errLost = errors.New("the dead letter was held too long and has become visible again")

// Hold is the letters that a command has in hand. It renews their invisibility
// until it is released.
type Hold struct {
	// Counted is how many letters the queue counted at first.
	Counted int
	// Missing is how many letters the queue counted but did not hand out.
	Missing int

	q       *Queue
	rounds  int
	visited atomic.Int64
	stop    context.CancelFunc
	stopped chan struct{}
	// doubt says that an answer with letters may have been lost.
	doubt atomic.Bool

	mu   sync.Mutex
	held map[string]lease // by message id
	// seen are the deliveries whose letters have been in hand.
	seen map[string]bool
}

// lease is one letter's receipt handle, and until when it is sure to hold.
type lease struct {
	receipt string
	until   time.Time
	long    bool
}

func newHold(ctx context.Context, q *Queue) *Hold {
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
				h.renew(ctx, h.due(time.Now()))
			}
		}
	}()
	return h
}

// Len is how many letters are in hand.
func (h *Hold) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// Release puts back what is in hand: it is visible again at once. It does so
// even if ctx has ended.
func (h *Hold) Release(ctx context.Context) error {
	h.stop()
	<-h.stopped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	h.mu.Lock()
	ids := make([]string, 0, len(h.held))
	for id, l := range h.held {
		if time.Now().Before(l.until) { // else another may have it
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()

	var mu sync.Mutex
	var first error
	failed := 0
	sideBySide(home.Connections, chunks(ids, batchEntries, nothing), func(ids []string) {
		errs := h.hide(ctx, ids, 0)
		mu.Lock()
		defer mu.Unlock()
		for _, err := range errs {
			// Whose receipt is no longer taken is visible already, or gone.
			if err != nil && !senderFault(err) {
				failed++
				first = err
			}
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

// add takes a letter in hand, and says whether it was not yet.
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

// see notes that a delivery's letter has been in hand. Nil has none.
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

// drop lets go of letters without a word to the queue.
func (h *Hold) drop(ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		delete(h.held, id)
	}
}

// receipts are the receipt handles of letters, "" for those not in hand.
func (h *Hold) receipts(ids []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = h.held[id].receipt
	}
	return all
}

// due are the letters whose invisibility has to be renewed.
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

// secure makes sure that a letter stays in hand long enough to be sent and
// deleted.
func (h *Hold) secure(ctx context.Context, id string) error {
	h.mu.Lock()
	l, ok := h.held[id]
	h.mu.Unlock()
	if ok && time.Until(l.until) >= sendMargin {
		return nil
	}
	if !ok {
		return errLost
	}
	return h.renew(ctx, []string{id})[0]
}

// renew hides letters for longer. Those that SQS says are not in hand any more
// are let go. Its errors are in the order of the ids.
func (h *Hold) renew(ctx context.Context, ids []string) []error {
	faults := make(map[string]error, len(ids))
	sideBySide(home.Connections, chunks(ids, batchEntries, nothing), func(ids []string) {
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
			faults[id] = errs[i]
		}
	})
	all := make([]error, len(ids))
	for i, id := range ids {
		all[i] = faults[id]
	}
	return all
}

// hide makes letters invisible for that long from now.
func (h *Hold) hide(ctx context.Context, ids []string, long time.Duration) []error {
	receipts := h.receipts(ids)
	errs, _ := batch(ctx, len(ids), func(ctx context.Context, todo []int) (answer, error) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(h.q.URL)}
		for _, i := range todo {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: entryID(i), ReceiptHandle: aws.String(receipts[i]), VisibilityTimeout: int32(long / time.Second),
			})
		}
		out, err := h.q.API.ChangeMessageVisibilityBatch(ctx, in, ownBody)
		if err != nil {
			return answer{}, fmt.Errorf("change the visibility of dead letters: %w", err)
		}
		a := answer{failed: out.Failed}
		for _, s := range out.Successful {
			a.confirmed = append(a.confirmed, s.Id)
		}
		return a, nil
	})
	return errs
}
