package breaker

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"fairbridge/pkg/ledger"
)

const (
	// fresh is how long a cached record may be used before a request without being read
	// again.
	fresh = 2 * time.Second
	// Known is the time after which every worker acts on a change of the record.
	Known = fresh + time.Second
	// inARow is how many consecutive failures, of at least ofDeliveries deliveries, open
	// the breaker.
	inARow       = 5
	ofDeliveries = 3
	// lately is how long after a success a single failure does not count as a sign of an
	// outage. With that much traffic, five failures in a row come soon enough.
	lately = 10 * time.Second
	// probing bounds a probe, writing bounds a change of the record.
	probing = 10 * time.Second
	writing = 5 * time.Second
	// races is how often a change is retried after another worker won the conditional
	// write. Each retry checks again whether the change is still needed.
	races = 5
)

// Config configures a [Breaker]. Every field is required.
type Config struct {
	Store Store
	Now   func() time.Time
}

// Breaker is one worker process's view of the projects. It is safe for concurrent use.
type Breaker struct {
	Config
	mu       sync.Mutex
	projects map[string]*project
}

// project is one project, or [All]. Its lock is held while its record is read or written,
// so that the deliveries of a batch share one read.
type project struct {
	mu     sync.Mutex
	record record
	readAt time.Time
	known  bool
	// failures counts consecutive failures seen by this process; wellAt is the time of its
	// last success.
	failures int
	of       map[string]bool
	wellAt   time.Time
	// probing is held during a probe of this process after a lost answer; unwell is the
	// result of the last one, at probedAt.
	probing  *semaphore.Weighted
	probedAt time.Time
	unwell   *Fault
}

// New returns a breaker with an empty cache.
func New(c Config) (*Breaker, error) {
	if c.Store == nil || c.Now == nil {
		return nil, errors.New("breaker: a part is missing from its configuration")
	}
	return &Breaker{Config: c, projects: map[string]*project{}}, nil
}

func (b *Breaker) project(name string) *project {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.projects[name]
	if p == nil {
		p = &project{of: map[string]bool{}, probing: semaphore.NewWeighted(1)}
		b.projects[name] = p
	}
	return p
}

// Subject is a delivery that asks for permission to run.
type Subject struct {
	// Project is the key of the Centercode project.
	Project string
	// Delivery is the delivery id.
	Delivery string
	// Failing means that the delivery has failed often enough in a row to have opened the
	// breaker, if others had failed with it. With little traffic there are no others: its
	// next failure is probed.
	Failing bool
	// Probe sends Centercode a request that changes nothing. It returns nil if Centercode
	// is responding normally.
	Probe func(context.Context) *Fault
}

// Pass is permission to work on a delivery. Its holder reports what Centercode answered,
// and when the work has ended. A nil Pass is valid and does nothing. It is for one
// goroutine.
type Pass struct {
	b       *Breaker
	subject Subject
	// owner identifies the trial turn in which this delivery goes first (half-open); "" for
	// an ordinary pass.
	owner string
}

// Ask reports whether s may run now. A nil pass means that it may not, and hold says why;
// to find out, Ask may probe the project. If the record cannot be read or written, Ask
// returns an error together with a pass: the delivery runs without a breaker.
func (b *Breaker) Ask(ctx context.Context, s Subject) (pass *Pass, hold Hold, err error) {
	all, errAll := b.read(ctx, All)
	state, err := b.read(ctx, s.Project)
	pass = &Pass{b: b, subject: s}
	if err := errors.Join(errAll, err); err != nil {
		return pass, Hold{}, err
	}
	now := b.Now()
	hold, held := state.hold(all, now)
	if !held {
		return pass, Hold{}, nil
	}
	if !slices.Contains(all.Projects, s.Project) {
		b.note(ctx, s.Project)
	}
	if all.Paused(now) || state.Paused(now) || !state.Open() || state.TryIn(now) > 0 {
		return nil, hold, nil
	}
	owner := rand.Text()
	taken, err := b.change(ctx, s.Project, func(s State, now time.Time) (State, bool) { return s.AsTaken(owner, now) })
	switch {
	case err != nil:
		return nil, hold, nil // whoever has the turn, it is not this worker
	case !taken.Open():
		return pass, Hold{}, nil // another worker closed it first
	case taken.Owner != owner:
		return nil, hold, nil
	}
	if f := b.probe(ctx, s); f != nil {
		// If this write fails, the turn simply runs out.
		_, _ = b.change(ctx, s.Project, func(s State, now time.Time) (State, bool) { return s.AsUnwell(owner, *f, now) })
		return nil, hold, nil
	}
	pass.owner = owner
	return pass, Hold{}, nil
}

// Still reports whether the pass covers another request; it is checked before each one.
// held is false if it does.
func (p *Pass) Still(ctx context.Context) (hold Hold, held bool) {
	if p == nil || p.First() {
		return Hold{}, false
	}
	all, errAll := p.b.read(ctx, All)
	state, err := p.b.read(ctx, p.subject.Project)
	if errAll != nil || err != nil {
		return Hold{}, false
	}
	return state.hold(all, p.b.Now())
}

// First reports whether this delivery is the trial for an open project.
func (p *Pass) First() bool { return p != nil && p.owner != "" }

// end removes the turn from the pass and returns its owner.
func (p *Pass) end() string {
	owner := p.owner
	p.owner = ""
	return owner
}

// Done reports that the work has ended, whatever the result.
func (p *Pass) Done(ctx context.Context) error {
	if p == nil {
		return nil
	}
	owner := p.end()
	if owner == "" {
		return nil
	}
	_, err := p.b.change(ctx, p.subject.Project, func(s State, now time.Time) (State, bool) { return s.AsReturned(owner, now) })
	return err
}

// Well reports that Centercode answered a ticket or file request, even if it refused it. It
// is not called for requests that only read: like a good probe, they show little about
// tickets.
func (p *Pass) Well(ctx context.Context) error {
	if p == nil {
		return nil
	}
	known := p.b.countWell(p.subject.Project)
	if p.end() == "" && (known.Lost == 0 || known.Open()) {
		return nil
	}
	_, err := p.b.change(ctx, p.subject.Project, func(s State, _ time.Time) (State, bool) { return s.AsClosed() })
	return err
}

// Unwell reports that Centercode did not answer, or answered with a failure. After a lost
// answer, or if the delivery is failing, it probes at once, unless there was a success
// lately: with little traffic, nothing else would notice the outage soon. A failing
// delivery's 401 opens the breaker in any case: what a probe says of the key is not
// documented, and no delivery can be the reason for a 401.
func (p *Pass) Unwell(ctx context.Context, f Fault) error {
	if p == nil {
		return nil
	}
	if owner := p.end(); owner != "" {
		_, err := p.b.change(ctx, p.subject.Project, func(s State, now time.Time) (State, bool) { return s.AsFailed(owner, f, now) })
		return err
	}
	edit := func(s State, now time.Time) (State, bool) { return s.AsAsked(f.RetryAfter, now) }
	known, opens, quiet := p.b.countFailure(p.subject)
	switch {
	case known.Open():
	case opens, quiet && p.subject.Failing && f.Status == http.StatusUnauthorized:
		edit = func(s State, now time.Time) (State, bool) { return s.AsOpened(f, now) }
	case quiet && (f.Lost || p.subject.Failing):
		if f.Lost && !f.LookUp {
			edit = func(s State, now time.Time) (State, bool) { return s.AsDoubted(f, now) }
		}
		if unwell := p.b.probeOnce(ctx, p.subject); unwell != nil {
			edit = func(s State, now time.Time) (State, bool) { return s.AsOpened(*unwell, now) }
		}
	case f.RetryAfter <= 0:
		return nil
	}
	_, err := p.b.change(ctx, p.subject.Project, edit)
	return err
}

// countWell counts a success, and returns the project's cached state.
func (b *Breaker) countWell(name string) State {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures, p.wellAt = 0, b.Now()
	clear(p.of)
	return p.record.State
}

// countFailure counts a failure. It returns the project's cached state, whether there have
// been enough failures to open it, and whether this process has seen no success lately.
func (b *Breaker) countFailure(s Subject) (known State, opens, quiet bool) {
	p := b.project(s.Project)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures++
	p.of[s.Delivery] = true
	age := b.Now().Sub(p.wellAt)
	return p.record.State, p.failures >= inARow && len(p.of) >= ofDeliveries, age < 0 || age > lately
}

// read returns a project's state, from the store if the cached one is not fresh. It waits
// for a probe of this process that a lost answer has started.
func (b *Breaker) read(ctx context.Context, name string) (State, error) {
	p := b.project(name)
	if err := p.probing.Acquire(ctx, 1); err != nil {
		return State{}, err
	}
	p.probing.Release(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := b.Now().Sub(p.readAt); p.known && age >= 0 && age <= fresh {
		return p.record.State, nil
	}
	r, err := load(ctx, b.Store, name)
	if err != nil {
		p.known = false
		return State{}, err
	}
	p.adopt(r, b.Now())
	return r.State, nil
}

// change stores what edit makes of a project's state, unless edit returns false, and
// returns what is stored then. If another worker was faster, edit is called again with that
// worker's state.
func (b *Breaker) change(ctx context.Context, name string, edit func(State, time.Time) (State, bool)) (State, error) {
	// The outcome must be stored even if the caller's context has expired.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		r, err := load(ctx, b.Store, name)
		if err != nil {
			return State{}, err
		}
		p.adopt(r, b.Now())
	}
	for range races {
		now := b.Now()
		next, ok := edit(p.record.State, now)
		if !ok {
			break
		}
		stored, err := save(ctx, b.Store, p.record, next, now)
		switch {
		case err == nil:
			p.adopt(stored, now)
			return stored.State, nil
		case errors.Is(err, ledger.ErrConflict):
			p.adopt(stored, now)
		default:
			p.known = false
			return p.record.State, err
		}
	}
	return p.record.State, nil
}

// adopt takes over the stored record. If the project has recovered, this process counts
// from zero again.
func (p *project) adopt(r record, now time.Time) {
	if p.record.Open() && !r.Open() {
		p.failures = 0
		clear(p.of)
	}
	p.record, p.readAt, p.known = r, now, true
}

func (b *Breaker) probe(ctx context.Context, s Subject) *Fault {
	ctx, cancel := context.WithTimeout(ctx, probing)
	defer cancel()
	return s.Probe(ctx)
}

// probeOnce runs one probe for all deliveries of this process that lost an answer at the
// same time.
func (b *Breaker) probeOnce(ctx context.Context, s Subject) *Fault {
	p := b.project(s.Project)
	if err := p.probing.Acquire(ctx, 1); err != nil {
		return nil // its caller has given up
	}
	defer p.probing.Release(1)
	if age := b.Now().Sub(p.probedAt); age < 0 || age > fresh {
		p.unwell = b.probe(ctx, s)
		p.probedAt = b.Now()
	}
	return p.unwell
}

// Standing reports what the waiting deliveries of a project can expect: that they may run
// (well), or that one of them may try whether the project has recovered (due).
func (b *Breaker) Standing(ctx context.Context, name string) (well, due bool, err error) {
	all, errAll := b.read(ctx, All)
	state, err := b.read(ctx, name)
	if err := errors.Join(errAll, err); err != nil {
		return false, false, err
	}
	now := b.Now()
	if _, held := state.hold(all, now); !held {
		return true, false, nil
	}
	return false, state.Open() && !all.Paused(now) && !state.Paused(now) && state.TryIn(now) == 0, nil
}

// State returns the stored state of a project, or of [All].
func (b *Breaker) State(ctx context.Context, name string) (State, error) {
	r, err := load(ctx, b.Store, name)
	return r.State, err
}

// note registers a project for [Breaker.States]. A failure does no harm: the next delivery
// that is held tries it again.
func (b *Breaker) note(ctx context.Context, name string) {
	if name == All {
		return
	}
	_, _ = b.change(ctx, All, func(s State, _ time.Time) (State, bool) {
		if slices.Contains(s.Projects, name) {
			return s, false
		}
		s.Projects = append(slices.Clone(s.Projects), name)
		return s, true
	})
}

// States returns the stored state of [All] and of each project that has ever been open or
// paused.
func (b *Breaker) States(ctx context.Context) ([]State, error) {
	all, err := b.State(ctx, All)
	states := []State{all}
	for _, name := range all.Projects {
		if err != nil {
			break
		}
		var s State
		s, err = b.State(ctx, name)
		states = append(states, s)
	}
	return states, err
}

// Pause pauses a project, or [All] of them.
func (b *Breaker) Pause(ctx context.Context, name string, p Pause) (State, error) {
	b.note(ctx, name)
	b.forget(name)
	return b.change(ctx, name, func(s State, now time.Time) (State, bool) { return s.AsPaused(p, now), true })
}

// Resume ends a pause. A project whose breaker is open is tried at once.
func (b *Breaker) Resume(ctx context.Context, name string) (State, error) {
	b.forget(name)
	return b.change(ctx, name, func(s State, now time.Time) (State, bool) { return s.AsResumed(now) })
}

// forget drops the cached record: a person's action applies to what is stored now.
func (b *Breaker) forget(name string) {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = false
}

// Alone reports that no other process uses these records, which the embedded home's lock
// ensures. Whoever holds a turn has died, so the turn is given back.
func (b *Breaker) Alone(ctx context.Context) error {
	states, err := b.States(ctx)
	for _, state := range states {
		if state.Owner == "" || err != nil {
			continue
		}
		_, err = b.change(ctx, state.Project, func(s State, now time.Time) (State, bool) { return s.AsReturned(state.Owner, now) })
	}
	return err
}
