package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
)

// memory is a minimal in-memory Store, with faults.
type memory struct {
	mu      sync.Mutex
	records map[string]ledger.Record
	// fault is called before each Put. If it returns before, the Put fails; if it returns
	// after, the Put is carried out and its reply lost.
	fault func(n int, r ledger.Record) (before, after error)
	puts  int
}

func (m *memory) Put(_ context.Context, r ledger.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	var before, after error
	if m.fault != nil {
		before, after = m.fault(m.puts, r)
	}
	if before != nil {
		return before
	}
	current, ok := m.records[r.ID]
	if !ok && r.Version > 1 {
		return ledger.ErrNotFound
	}
	if current.Version != r.Version-1 {
		return &ledger.ConflictError{Current: current}
	}
	m.records[r.ID] = r
	return after
}

func (m *memory) Get(_ context.Context, id string) (ledger.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[id]
	if !ok {
		return ledger.Record{}, ledger.ErrNotFound
	}
	return r, nil
}

func (m *memory) Set(_ context.Context, r ledger.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[r.ID] = r
	return nil
}

func (m *memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, id)
	return nil
}

type bench struct {
	t     *testing.T
	store *memory
	now   time.Time
	*ledger.Ledger
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newBench returns a bench with a ledger; more overrides its config.
func newBench(t *testing.T, more ...ledger.Config) *bench {
	b := &bench{
		t:     t,
		store: &memory{records: map[string]ledger.Record{}},
		now:   began.Add(time.Second),
	}
	b.Ledger = b.open(more...)
	return b
}

// open returns another ledger with the bench's store.
func (b *bench) open(more ...ledger.Config) *ledger.Ledger {
	var c ledger.Config
	if len(more) > 0 {
		c = more[0]
	}
	c.Store, c.Now = b.store, func() time.Time { return b.now }
	return ledgertest.New(b.t, c)
}

// message returns a message of a generation; the first was sent when the test began.
func message(generation int) ledger.Message {
	if generation == 0 {
		return ledger.Message{SentAt: began}
	}
	return ledger.Message{Generation: generation, Marked: true}
}

func (b *bench) claim(generation int) *ledger.Claim {
	b.t.Helper()
	c, err := b.Claim(b.t.Context(), "d1", message(generation))
	if err != nil {
		b.t.Fatalf("claim: %v", err)
	}
	return c
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) entry() ledger.Entry {
	b.t.Helper()
	e, err := b.Entry(b.t.Context(), "d1")
	b.must(err)
	return e
}

func TestDeliveryRunsToItsEnd(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	c := b.claim(0)
	b.must(c.Creating(ctx, ledger.Where{}))
	b.must(c.Created(ctx, "77", map[string]string{"screenshot": "https://c.example/f"}, nil))
	b.must(c.Attaching(ctx, "screenshot"))
	b.must(c.Attached(ctx, "screenshot", ledger.Attachment{Name: "a.png", Bytes: 9}))
	b.must(c.Completed(ctx))

	e := b.entry()
	if e.State != ledger.Completed || e.TicketID != "77" || e.Owner != "" || e.Attaching != "" {
		t.Errorf("entry at the end: %+v", e)
	}
	if got := e.Attached["screenshot"]; got.Bytes != 9 || !got.At.Equal(b.now) {
		t.Errorf("attachment at the end: %+v", got)
	}
	_, err := b.Claim(ctx, "d1", message(0))
	var done *ledger.DoneError
	if !errors.As(err, &done) || done.Entry.TicketID != "77" {
		t.Errorf("claim of a completed delivery: %v", err)
	}
}

// TestCreatedAndCompleted checks that a ticket without attachments is completed in a single
// write.
func TestCreatedAndCompleted(t *testing.T) {
	b := newBench(t)
	c := b.claim(0)
	b.must(c.Creating(t.Context(), ledger.Where{}))
	before := b.store.puts
	b.must(c.CreatedAndCompleted(t.Context(), "77"))
	if e := b.entry(); e.State != ledger.Completed || e.TicketID != "77" || e.Owner != "" || b.store.puts != before+1 {
		t.Errorf("entry after %d writes: %+v", b.store.puts-before, e)
	}
	_, err := b.Claim(t.Context(), "d1", message(0))
	var done *ledger.DoneError
	if !errors.As(err, &done) || done.Entry.TicketID != "77" {
		t.Errorf("claim of a completed delivery: %v", err)
	}
}

func TestClaimIsHeldUntilItsLeaseEnds(t *testing.T) {
	b := newBench(t)
	first := b.claim(0)
	_, err := b.Claim(t.Context(), "d1", message(0))
	var held *ledger.HeldError
	if !errors.As(err, &held) || !held.Until.Equal(b.now.Add(2*time.Minute)) {
		t.Fatalf("second claim: %v", err)
	}

	b.now = b.now.Add(90 * time.Second)
	b.must(first.Renew(t.Context()))
	b.now = b.now.Add(90 * time.Second)
	if _, err := b.Claim(t.Context(), "d1", message(0)); !errors.As(err, &held) {
		t.Fatalf("claim after a renewal: %v", err)
	}

	b.must(first.Creating(t.Context(), ledger.Where{}))
	b.now = b.now.Add(2 * time.Minute)
	second := b.claim(0)
	if e := second.Entry(); e.State != ledger.Creating || e.Attempts != 2 {
		t.Errorf("claimed as %+v", e)
	}
	if err := first.Created(t.Context(), "1", nil, nil); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("the old holder wrote: %v", err)
	}
	if err := first.Renew(t.Context()); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("the old holder renewed: %v", err)
	}
}

func TestAloneDoesNotAwaitTheLeaseOfADeadProcess(t *testing.T) {
	b := newBench(t)
	b.claim(0)
	again := b.open(ledger.Config{Alone: true})
	if _, err := again.Claim(t.Context(), "d1", message(0)); err != nil {
		t.Fatalf("claim after a restart: %v", err)
	}
	var held *ledger.HeldError
	if _, err := again.Claim(t.Context(), "d1", message(0)); !errors.As(err, &held) {
		t.Errorf("claim of what this process holds: %v", err)
	}
}

func TestReleaseKeepsWhatIsKnown(t *testing.T) {
	for _, tc := range []struct {
		name    string
		notSent bool
		want    ledger.State
	}{
		{"the request did nothing", true, ledger.Claimed},
		{"unknown", false, ledger.Creating},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			c := b.claim(0)
			b.must(c.Creating(t.Context(), ledger.Where{}))
			b.must(c.Release(t.Context(), ledger.Fault{Stage: "create", Status: 500, Text: "no"}, tc.notSent, 0))
			e := b.claim(0).Entry()
			if e.State != tc.want || e.Last == nil || e.Last.Status != 500 || e.Attempts != 2 {
				t.Errorf("claimed again as %+v, want state %s", e, tc.want)
			}
		})
	}
}

func TestDeadLetterIsReplayedOnceEachGeneration(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	b.must(b.claim(0).Died(ctx, ledger.Fault{Reason: "mapping", Stage: "map", Text: "x"}, false))

	var done *ledger.DoneError
	if _, err := b.Claim(ctx, "d1", message(0)); !errors.As(err, &done) {
		t.Fatalf("the first message, delivered again after its dead letter: %v", err)
	}
	c := b.claim(1) // the replayed letter
	if e := c.Entry(); e.State != ledger.Claimed || e.Replays != 1 || e.Generation != 1 {
		t.Fatalf("replayed as %+v", e)
	}
	b.must(c.Died(ctx, ledger.Fault{Reason: "rejected", Stage: "create", Text: "y"}, false))
	if _, err := b.Claim(ctx, "d1", message(1)); !errors.As(err, &done) {
		t.Fatalf("a second copy of the replayed letter: %v", err)
	}
	if e := b.claim(2).Entry(); e.Replays != 2 || e.Generation != 2 {
		t.Fatalf("replayed again as %+v", e)
	}
}

func TestReplayMaySendWhatIsKnownNotToBeSent(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	c := b.claim(0)
	b.must(c.Creating(ctx, ledger.Where{}))
	b.must(c.Died(ctx, ledger.Fault{Reason: "rejected", Stage: "create", Status: 400}, true))
	if e := b.claim(1).Entry(); e.State != ledger.Claimed {
		t.Errorf("replayed as %+v", e)
	}
}

func TestReplayContinuesWhereTheDeliveryDied(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	c := b.claim(0)
	b.must(c.Creating(ctx, ledger.Where{}))
	b.must(c.Created(ctx, "5", nil, []string{"id"}))
	b.must(c.Died(ctx, ledger.Fault{Reason: "attachment_source", Stage: "attach", Text: "404"}, false))
	if e := b.claim(1).Entry(); e.State != ledger.Created || e.TicketID != "5" {
		t.Errorf("replayed as %+v", e)
	}
}

// TestSettleRaces checks that a concurrent write to the entry, such as a person's in the
// console, is not lost and does not prevent a settlement.
func TestSettleRaces(t *testing.T) {
	b := newBench(t)
	c := b.claim(0)
	b.must(c.Creating(t.Context(), ledger.Where{}))
	b.must(c.Died(t.Context(), ledger.Fault{Reason: "ambiguous"}, false))
	raced := false
	b.store.fault = func(int, ledger.Record) (error, error) {
		if !raced {
			raced = true
			other := ledgertest.New(t, ledger.Config{Store: &memory{records: b.store.records}, Now: func() time.Time { return b.now }})
			b.must(other.Act(t.Context(), "d1", "looked at it"))
		}
		return nil, nil
	}
	b.must(b.SettleCreated(t.Context(), "d1", "99"))
	if e := b.entry(); e.Resume != ledger.Created || e.TicketID != "99" || len(e.Actions) != 2 || e.Actions[0].What != "looked at it" {
		t.Errorf("got %+v", e)
	}
}

func TestSettle(t *testing.T) {
	park := func(t *testing.T, attach bool) *bench {
		b := newBench(t)
		c := b.claim(0)
		b.must(c.Creating(t.Context(), ledger.Where{}))
		if attach {
			b.must(c.Created(t.Context(), "5", nil, nil))
			b.must(c.Attaching(t.Context(), "log"))
		}
		b.must(c.Died(t.Context(), ledger.Fault{Reason: "ambiguous"}, false))
		return b
	}
	t.Run("ticket exists", func(t *testing.T) {
		b := park(t, false)
		b.must(b.SettleCreated(t.Context(), "d1", "99"))
		if e := b.claim(1).Entry(); e.State != ledger.Created || e.TicketID != "99" {
			t.Errorf("continued as %+v", e)
		}
	})
	t.Run("ticket does not exist", func(t *testing.T) {
		b := park(t, false)
		b.must(b.SettleNotCreated(t.Context(), "d1"))
		if e := b.claim(1).Entry(); e.State != ledger.Claimed {
			t.Errorf("continued as %+v", e)
		}
	})
	t.Run("file exists", func(t *testing.T) {
		b := park(t, true)
		b.must(b.SettleCreated(t.Context(), "d1", ""))
		e := b.claim(1).Entry()
		if _, ok := e.Attached["log"]; !ok || e.Attaching != "" || e.TicketID != "5" {
			t.Errorf("continued as %+v", e)
		}
	})
	t.Run("file does not exist", func(t *testing.T) {
		b := park(t, true)
		b.must(b.SettleNotCreated(t.Context(), "d1"))
		if e := b.claim(1).Entry(); len(e.Attached) != 0 || e.Attaching != "" || e.State != ledger.Created {
			t.Errorf("continued as %+v", e)
		}
	})
	t.Run("moved by SQS", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(0).Creating(t.Context(), ledger.Where{}))
		if err := b.SettleCreated(t.Context(), "d1", "99"); !errors.Is(err, ledger.ErrNotParked) {
			t.Errorf("while it is held: %v", err)
		}
		b.now = b.now.Add(2 * time.Minute)
		b.must(b.SettleCreated(t.Context(), "d1", "99"))
		if e := b.claim(0).Entry(); e.State != ledger.Created || e.TicketID != "99" {
			t.Errorf("continued as %+v", e)
		}
	})
	t.Run("not parked", func(t *testing.T) {
		b := newBench(t)
		c := b.claim(0)
		if err := b.SettleNotCreated(t.Context(), "d1"); !errors.Is(err, ledger.ErrNotParked) {
			t.Errorf("held: %v", err)
		}
		b.must(c.Died(t.Context(), ledger.Fault{Reason: "rejected"}, false))
		if err := b.SettleCreated(t.Context(), "d1", "1"); !errors.Is(err, ledger.ErrNotParked) {
			t.Errorf("dead for another reason: %v", err)
		}
		if err := b.SettleCreated(t.Context(), "d2", "1"); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
	})
}

// TestOneFaultyWriteIsRetried makes each write of a delivery fail once before it is carried
// out, and once lose its reply. The write is retried, and the delivery ends as it would
// without the fault.
func TestOneFaultyWriteIsRetried(t *testing.T) {
	fault := errors.New("connection reset")
	life := func(ctx context.Context, l *ledger.Ledger) error {
		c, err := l.Claim(ctx, "d1", message(0))
		if err != nil {
			return err
		}
		return errors.Join(c.Creating(ctx, ledger.Where{}), c.Created(ctx, "7", nil, nil), c.Attaching(ctx, "a"),
			c.Attached(ctx, "a", ledger.Attachment{}), c.Renew(ctx), c.Completed(ctx))
	}
	const writes = 7
	for n := 1; n <= writes; n++ {
		for _, replyLost := range []bool{false, true} {
			b := newBench(t)
			b.store.fault = func(i int, _ ledger.Record) (error, error) {
				switch {
				case i != n:
					return nil, nil
				case replyLost:
					return nil, fault
				}
				return fault, nil
			}
			b.must(life(t.Context(), b.Ledger))
			if e := b.entry(); e.State != ledger.Completed || e.Attempts != 1 {
				t.Errorf("write %d, reply lost %v: %+v", n, replyLost, e)
			}
			if b.store.puts != writes+1 {
				t.Errorf("write %d, reply lost %v: %d puts, want %d", n, replyLost, b.store.puts, writes+1)
			}
		}
	}
}

// TestNothingRecordedIsForgotten checks that a write fails if all its replies are lost,
// whether or not it was carried out, and that the next write of the claim includes its
// change.
func TestNothingRecordedIsForgotten(t *testing.T) {
	down := errors.New("no route to host")
	for _, carriedOut := range []bool{false, true} {
		b := newBench(t)
		c := b.claim(0)
		b.must(c.Creating(t.Context(), ledger.Where{}))
		// A retry recognises a write that was carried out, so the retries must fail too.
		b.store.fault = func(i int, _ ledger.Record) (error, error) {
			if carriedOut && i == 3 {
				return nil, down
			}
			return down, nil
		}
		if err := c.Created(t.Context(), "7", nil, nil); !errors.Is(err, down) {
			t.Fatalf("created: %v", err)
		}
		b.store.fault = nil
		b.must(c.Release(t.Context(), ledger.Fault{Stage: "create"}, true, 0))
		if e := b.entry(); e.State != ledger.Created || e.TicketID != "7" || e.Owner != "" {
			t.Errorf("carried out %v: %+v", carriedOut, e)
		}
	}
}

func TestRacingClaimsHaveOneWinner(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	won := make(chan *ledger.Claim, 32)
	for range 32 {
		wg.Go(func() {
			c, err := b.Claim(t.Context(), "d1", message(0))
			var held *ledger.HeldError
			switch {
			case err == nil:
				won <- c
			case !errors.As(err, &held):
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d winners", len(won))
	}
}
