package breaker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/ledger"
)

// flakyStore is slow, and loses calls and replies.
type flakyStore struct {
	mu      sync.Mutex
	records map[string]ledger.Record
	slow    time.Duration
	lose    float64
	down    bool
	puts    int
}

func newFlakyStore() *flakyStore { return &flakyStore{records: map[string]ledger.Record{}} }

var errLost = errors.New("the store did not answer")

func (s *flakyStore) wait() {
	if s.slow > 0 {
		time.Sleep(rand.N(s.slow))
	}
}

func (s *flakyStore) lost() bool { return s.down || rand.Float64() < s.lose }

func (s *flakyStore) Get(_ context.Context, id string) (ledger.Record, error) {
	s.wait()
	defer s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[id]
	switch {
	case s.lost():
		return r, errLost
	case !ok:
		return r, ledger.ErrNotFound
	}
	return r, nil
}

func (s *flakyStore) Put(_ context.Context, r ledger.Record) error {
	s.wait()
	defer s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost() {
		return errLost
	}
	if current := s.records[r.ID]; current.Version != r.Version-1 {
		return &ledger.ConflictError{Current: current}
	}
	s.puts++
	s.records[r.ID] = r
	if s.lost() {
		return errLost
	}
	return nil
}

func newBreaker(t *testing.T, s Store, now func() time.Time) *Breaker {
	t.Helper()
	b, err := New(Config{Store: s, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask asks for a delivery's pass; its probe returns fault.
func ask(t *testing.T, b *Breaker, delivery string, fault *Fault) (*Pass, Hold) {
	t.Helper()
	pass, hold, err := b.Ask(t.Context(), Subject{Project: "P", Delivery: delivery, Probe: func(context.Context) *Fault { return fault }})
	if err != nil {
		t.Fatal(err)
	}
	return pass, hold
}

func open(t *testing.T, b *Breaker) bool {
	t.Helper()
	s, err := b.State(t.Context(), "P")
	if err != nil {
		t.Fatal(err)
	}
	return s.Open()
}

var bad = Fault{Status: 503, Text: "overloaded"}

func fail(t *testing.T, p *Pass, f Fault) {
	t.Helper()
	if err := p.Unwell(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func well(t *testing.T, p *Pass) {
	t.Helper()
	if err := p.Well(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestFiveFailuresInARowOfThreeDeliveries checks that they open a project, and that
// anything less does not, and writes nothing.
func TestFiveFailuresInARowOfThreeDeliveries(t *testing.T) {
	for _, tc := range []struct {
		name     string
		outcomes string // a letter is a failure of that delivery, a dot is a success
		want     bool
	}{
		{"four", "abcd", false},
		{"five", "abcde", true},
		{"of two deliveries", "ababababa", false},
		{"of three", "aaaaabc", true},
		{"a success between", "abcd.abcd", false},
		{"a success before", ".abcde", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFlakyStore()
			b := newBreaker(t, s, func() time.Time { return noon })
			for _, c := range tc.outcomes {
				pass, _ := ask(t, b, string(c), nil)
				if c == '.' {
					well(t, pass)
				} else {
					fail(t, pass, bad)
				}
			}
			if got := open(t, b); got != tc.want || !got && s.puts > 0 {
				t.Errorf("open: %t with %d writes", got, s.puts)
			}
		})
	}
}

// TestALostAnswerIsProbedAtOnce checks that a single lost answer is enough to probe: a beta
// with few feedbacks starts a new worker process for each.
func TestALostAnswerIsProbedAtOnce(t *testing.T) {
	lost := Fault{Status: 502, Lost: true}
	s, now := newFlakyStore(), noon
	clock := func() time.Time { return now }
	one := newBreaker(t, s, clock)
	pass, _ := ask(t, one, "a", &bad)
	fail(t, pass, lost)
	if !open(t, one) {
		t.Fatal("the probe failed, but the breaker did not open")
	}
	another := newBreaker(t, s, clock)
	if pass, hold := ask(t, another, "b", nil); pass != nil || hold.Why == "" {
		t.Fatal("another process continues")
	}
	now = now.Add(5 * time.Second)
	if pass, _ := ask(t, newBreaker(t, s, clock), "b", &bad); pass != nil {
		t.Fatal("a failed probe lets a delivery through")
	}
	now = now.Add(15 * time.Second)
	first, _ := ask(t, newBreaker(t, s, clock), "b", nil)
	if !first.First() {
		t.Fatal("a successful probe lets no delivery through")
	}
	if pass, _ := ask(t, newBreaker(t, s, clock), "c", nil); pass != nil {
		t.Fatal("a second delivery is let through with the first")
	}
	well(t, first)
	if open(t, one) {
		t.Fatal("a ticket does not close it")
	}
	// If probes succeed but tickets fail, the second lost answer in a row opens the
	// breaker, whichever process sees it.
	for i, want := range []bool{false, true} {
		b := newBreaker(t, s, clock)
		pass, _ := ask(t, b, fmt.Sprint(i), nil)
		fail(t, pass, lost)
		if got := open(t, b); got != want {
			t.Fatalf("lost answer %d: open: %t", i+1, got)
		}
	}
}

// TestALostAnswerAmongTickets checks that it does not count as an outage: in busy traffic
// it takes five in a row.
func TestALostAnswerAmongTickets(t *testing.T) {
	s, now := newFlakyStore(), noon
	b := newBreaker(t, s, func() time.Time { return now })
	lost := func(delivery string) {
		t.Helper()
		pass, _ := ask(t, b, delivery, &bad)
		fail(t, pass, Fault{Status: 502, Lost: true})
	}
	for i := range 10 {
		pass, _ := ask(t, b, fmt.Sprint("made ", i), nil)
		well(t, pass)
		now = now.Add(5 * time.Second)
		lost(fmt.Sprint("lost ", i))
	}
	if open(t, b) || s.puts > 0 {
		t.Errorf("open: %t with %d writes", open(t, b), s.puts)
	}
	for i := range 4 {
		lost(fmt.Sprint("lost too ", i))
	}
	if !open(t, b) {
		t.Error("five in a row do not open the breaker")
	}

	b = newBreaker(t, newFlakyStore(), func() time.Time { return now })
	pass, _ := ask(t, b, "made", nil)
	well(t, pass)
	now = now.Add(11 * time.Second)
	lost("lost")
	if !open(t, b) {
		t.Error("an old success prevents the probe")
	}
}

// TestAFailingDelivery checks that with little traffic the breaker opens once a delivery
// has failed often and a probe fails too.
func TestAFailingDelivery(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failing bool
		fault   Fault
		probe   *Fault
		madeAgo time.Duration // when another delivery became a ticket
		want    bool
	}{
		{"the first failure", false, bad, &bad, time.Hour, false},
		{"a failed probe", true, bad, &Fault{Status: 502}, time.Hour, true},
		{"a good probe", true, bad, nil, time.Hour, false},
		{"among tickets", true, bad, &bad, time.Second, false},
		{"a refused key and a good probe", true, Fault{Status: 401}, nil, time.Hour, true},
		{"a refused key at first", false, Fault{Status: 401}, nil, time.Hour, false},
		{"a refused key among tickets", true, Fault{Status: 401}, nil, time.Second, false},
		{"a firewall and a good probe", true, Fault{Status: 403}, nil, time.Hour, false},
	} {
		now := noon
		b := newBreaker(t, newFlakyStore(), func() time.Time { return now })
		made, _ := ask(t, b, "made", nil)
		well(t, made)
		now = now.Add(tc.madeAgo)
		pass, _, err := b.Ask(t.Context(), Subject{
			Project: "P", Delivery: "a", Failing: tc.failing, Probe: func(context.Context) *Fault { return tc.probe },
		})
		if err != nil {
			t.Fatal(err)
		}
		fail(t, pass, tc.fault)
		if got := open(t, b); got != tc.want {
			t.Errorf("%s: open: %t", tc.name, got)
		}
	}
}

// TestATurnIsReturned checks that a delivery which sent Centercode nothing returns its
// turn.
func TestATurnIsReturned(t *testing.T) {
	s, now := newFlakyStore(), noon
	b := newBreaker(t, s, func() time.Time { return now })
	for _, delivery := range []string{"a", "b", "c", "d", "e"} {
		pass, _ := ask(t, b, delivery, nil)
		fail(t, pass, bad)
	}
	now = now.Add(5 * time.Second)
	first, _ := ask(t, b, "a", nil)
	if !first.First() {
		t.Fatal("no delivery goes first")
	}
	if err := first.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(5 * time.Second)
	if next, _ := ask(t, b, "b", nil); !next.First() {
		t.Error("the next delivery does not go first")
	}
}

// TestATurnOfAProcessThatDied checks that its successor returns the turn, if no other
// process runs.
func TestATurnOfAProcessThatDied(t *testing.T) {
	s, now := newFlakyStore(), noon
	clock := func() time.Time { return now }
	b := newBreaker(t, s, clock)
	for _, delivery := range []string{"a", "b", "c", "d", "e"} {
		pass, _ := ask(t, b, delivery, nil)
		fail(t, pass, bad)
	}
	_, _ = ask(t, b, "f", nil) // a project is registered when its first delivery is held
	now = now.Add(5 * time.Second)
	if first, _ := ask(t, b, "a", nil); !first.First() {
		t.Fatal("no delivery goes first")
	}
	next := newBreaker(t, s, clock)
	if err := next.Alone(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(5 * time.Second)
	if first, _ := ask(t, next, "b", nil); !first.First() {
		t.Error("the next process waits for a dead process's turn")
	}
}

// TestResumeMeansWhatIsStored checks that resuming ignores what the process has cached.
func TestResumeMeansWhatIsStored(t *testing.T) {
	s := newFlakyStore()
	clock := func() time.Time { return noon }
	person, b := newBreaker(t, s, clock), newBreaker(t, s, clock)
	if _, err := person.Resume(t.Context(), "P"); err != nil {
		t.Fatal(err)
	}
	for _, delivery := range []string{"a", "b", "c", "d", "e"} {
		pass, _ := ask(t, b, delivery, nil)
		fail(t, pass, bad)
	}
	if state, err := person.Resume(t.Context(), "P"); err != nil || !state.Open() || state.TryIn(noon) != 0 {
		t.Errorf("resumed as %+v, %v", state, err)
	}
}

// TestAStoreThatIsDown checks that a failing store does not stop deliveries; its error is
// returned.
func TestAStoreThatIsDown(t *testing.T) {
	s := newFlakyStore()
	s.down = true
	b := newBreaker(t, s, func() time.Time { return noon })
	pass, _, err := b.Ask(t.Context(), Subject{Project: "P", Delivery: "a"})
	if !errors.Is(err, errLost) || pass == nil {
		t.Fatalf("%v, %v", pass, err)
	}
	for range 9 {
		_ = pass.Unwell(t.Context(), bad)
	}
	if _, held := pass.Still(t.Context()); held {
		t.Error("held by a record that cannot be read")
	}
	var none *Pass
	if errors.Join(none.Well(t.Context()), none.Unwell(t.Context(), bad), none.Done(t.Context())) != nil || none.First() {
		t.Error("a nil pass does something")
	}
}

// TestBatchReadsOnce checks that the ten deliveries of a batch share one read.
func TestBatchReadsOnce(t *testing.T) {
	s := &countingStore{Store: newFlakyStore()}
	b := newBreaker(t, s, func() time.Time { return noon })
	var asks sync.WaitGroup
	for i := range 10 {
		asks.Go(func() {
			pass, _, err := b.Ask(t.Context(), Subject{Project: "P", Delivery: fmt.Sprint(i)})
			if _, held := pass.Still(t.Context()); err != nil || held {
				t.Errorf("%v, held: %t", err, held)
			}
		})
	}
	asks.Wait()
	if s.gets != 2 {
		t.Errorf("%d reads, want one of the project and one of all", s.gets)
	}
}

type countingStore struct {
	Store
	mu   sync.Mutex
	gets int
}

func (c *countingStore) Get(ctx context.Context, id string) (ledger.Record, error) {
	c.mu.Lock()
	c.gets++
	c.mu.Unlock()
	return c.Store.Get(ctx, id)
}

// centercode is up or down, and records when it receives requests.
type centercode struct {
	mu       sync.Mutex
	down     bool
	requests []time.Time
	probing  int
	most     int
	// By known, every worker knows that it is down. Before that, a worker whose delivery is
	// failing probes without a turn.
	known time.Time
}

func (c *centercode) request(probe bool) *Fault {
	c.mu.Lock()
	c.requests = append(c.requests, time.Now())
	if probe {
		c.probing++
		if !time.Now().Before(c.known) {
			c.most = max(c.most, c.probing)
		}
	}
	c.mu.Unlock()
	time.Sleep(rand.N(10 * time.Second))
	c.mu.Lock()
	defer c.mu.Unlock()
	if probe {
		c.probing--
	}
	if c.down {
		return &Fault{Status: 503}
	}
	return nil
}

// TestAnyInterleaving runs workers whose clocks differ by up to a minute through an outage,
// over a store that is slow and loses calls and replies. Only one worker at a time tries
// the project, at most twice a minute, and in the end the breaker is closed for all. In
// every second run the deliveries have failed before.
func TestAnyInterleaving(t *testing.T) {
	for seed := range 30 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { interleave(t, seed%2 == 1) })
		})
	}
}

func interleave(t *testing.T, failing bool) {
	s := newFlakyStore()
	s.slow, s.lose = 2*time.Second, 0.1
	c := &centercode{down: true}
	if failing {
		c.known = time.Now().Add(11 * time.Minute)
	}
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	var made sync.Map
	for n := range 6 {
		off := rand.N(time.Minute) - 30*time.Second
		b := newBreaker(t, s, func() time.Time { return time.Now().Add(off) })
		workers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				time.Sleep(rand.N(20 * time.Second))
				pass, _, err := b.Ask(ctx, Subject{Project: "P", Delivery: fmt.Sprint(n, i), Failing: failing,
					Probe: func(context.Context) *Fault { return c.request(true) }})
				if pass == nil {
					continue
				}
				if err != nil {
					// The store failed, so the delivery runs without a record; this test
					// does not count those.
					continue
				}
				if f := c.request(false); f != nil {
					_ = pass.Unwell(ctx, *f)
				} else {
					_ = pass.Well(ctx)
					made.Store(n, true)
				}
				_ = pass.Done(ctx)
			}
		})
	}
	began := time.Now()
	const outage = 2 * time.Hour
	time.Sleep(outage)
	var opened time.Time
	s.mu.Lock()
	if r, ok := s.records[prefix+"P"]; ok {
		parsed, err := parse(r)
		if err != nil {
			t.Error(err)
		}
		opened = parsed.Since
	}
	s.mu.Unlock()
	if opened.IsZero() || opened.Sub(began) > 10*time.Minute {
		t.Errorf("opened at %s of an outage that began at %s", opened, began)
	}
	c.mu.Lock()
	late := 0
	for _, at := range c.requests {
		if at.Sub(opened) > 6*time.Minute {
			late++
		}
	}
	if most := int((outage-opened.Sub(began)-6*time.Minute)/time.Minute)*2 + 2; late > most {
		t.Errorf("%d requests after the fifth minute, at most %d", late, most)
	}
	if late < 30 {
		t.Errorf("only %d requests in two hours: no more probes", late)
	}
	if c.most > 1 {
		t.Errorf("%d probes at a time", c.most)
	}
	c.down = false
	c.mu.Unlock()

	time.Sleep(10 * time.Minute)
	stop()
	workers.Wait()
	for n := range 6 {
		if _, ok := made.Load(n); !ok {
			t.Errorf("worker %d has made nothing since Centercode is back", n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, err := parse(s.records[prefix+"P"]); err != nil || last.Open() {
		t.Errorf("in the end: %+v, %v", last.State, err)
	}
}
