package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

// TestRetryAfterHoldsTheRestOfTheBatch checks that after a Retry-After the
// remaining records of the batch do not send their tickets.
func TestRetryAfterHoldsTheRestOfTheBatch(t *testing.T) {
	for _, status := range []int{429, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, parkRoute)
				first, firstID := b.message(0, false)
				b.put = func(_ context.Context, r ledger.Record) error {
					if r.ID != firstID {
						time.Sleep(2 * time.Second) // the others' claims are slow
					}
					return nil
				}
				b.create = func(ctx context.Context, _, _ string) error {
					b.must(pass(ctx, time.Second))
					return &centercode.Error{Op: centercode.OpCreateTicket, Status: status, RetryAfter: 5 * time.Minute}
				}
				left := b.handle(t.Context(), append(b.messages(10)[1:], first)...)
				if b.creates != 1 || len(left) != 10 {
					t.Errorf("%d requests after the first was refused, left %v", b.creates-1, left)
				}
				for id, o := range b.outcomes {
					want := worker.Held // those nine share one outcome
					if id == firstID {
						want = worker.Retry
					}
					if o.Result != want || o.RetryIn < 5*time.Minute-2*time.Second || want == worker.Held && len(o.Receipts) != 9 {
						t.Errorf("outcome %+v", o)
					}
				}
				for _, m := range left {
					if e := b.entry(b.deliveries[m]); e.State != ledger.Claimed || e.Owner != "" || e.Waited > 0 != (m == first.MessageId) {
						t.Errorf("entry %+v", e)
					}
				}
			})
		})
	}
}

// TestRefusedKeyIsRereadOnce checks that a refused key is reread from SSM once, and
// that a different one is tried once. A whole batch costs one read.
func TestRefusedKeyIsRereadOnce(t *testing.T) {
	for _, status := range []int{401, 403} {
		for _, tc := range []struct {
			name           string
			stored, taken  string
			want           worker.Result
			reads, creates int // of ten deliveries
		}{
			{"rotated", "second", "second", worker.Created, 1, 20},
			{"still the old one", "first", "second", worker.Retry, 1, 10},
			{"another wrong one", "second", "third", worker.Held, 1, 15},
		} {
			t.Run(fmt.Sprint(status, " ", tc.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBubble(t, parkRoute)
					parameters := &parameterStore{value: "first"}
					b.handler.Secrets = parameters.secrets(t)
					accepted := "first"
					b.create = func(_ context.Context, _, key string) error {
						if key != accepted {
							return &centercode.Error{Op: centercode.OpCreateTicket, Status: status}
						}
						return nil
					}
					before, id := b.message(99, false)
					b.handle(t.Context(), before)
					if o := b.outcomes[id]; o.Result != worker.Created || parameters.reads != 1 {
						t.Fatalf("%d reads of SSM before the key is replaced: %+v", parameters.reads, o)
					}
					time.Sleep(time.Minute)
					accepted, parameters.value = tc.taken, tc.stored
					b.outcomes, b.creates, parameters.reads = map[string]worker.Outcome{}, 0, 0

					messages := b.messages(10)
					b.handle(t.Context(), messages...)
					for _, o := range b.outcomes {
						// After the fifth refusal the others are held.
						held := o.Result == worker.Held && tc.want != worker.Created
						if o.Result != tc.want && !held && o.Result != worker.Retry || o.Result == worker.Retry && o.Status != status {
							t.Errorf("outcome %+v", o)
						}
					}
					if parameters.reads != tc.reads || b.creates < tc.creates || b.creates > 20 || b.letters != 0 {
						t.Errorf("%d reads of SSM, %d requests, %d dead letters; want %d, %d, none",
							parameters.reads, b.creates, b.letters, tc.reads, tc.creates)
					}
					// Shortly afterwards the key is recent enough, so its refusal is
					// accepted.
					time.Sleep(3 * time.Second)
					b.handle(t.Context(), messages...)
					if parameters.reads != tc.reads {
						t.Errorf("SSM was read again after 3 s")
					}
				})
			})
		}
	}
}

// parameterStore is an SSM with a single parameter.
type parameterStore struct {
	mu    sync.Mutex
	value string
	reads int
}

func (p *parameterStore) secrets(t *testing.T) *secrets.Store {
	s, err := secrets.New(secrets.Config{API: p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// GetParameter implements [secrets.API].
func (p *parameterStore) GetParameter(ctx context.Context, _ string) (string, error) {
	if err := pass(ctx, 20*time.Millisecond); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads++
	return p.value, nil
}
