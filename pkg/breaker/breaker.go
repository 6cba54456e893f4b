package breaker

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"fairbridge/pkg/ledger"
)

const (
	// fresh is how old what is known of a project may be before a request.
	fresh = 2 * time.Second
	// Known is after how long every worker goes by what was written.
	Known = fresh + time.Second
	// inARow is how many failures open a project, of at least ofDeliveries.
	inARow       = 5
	ofDeliveries = 3
	// lately is for how long a success says that an answer that is lost is no sign of
	// an outage. Where so much happens, five failures in a row come soon enough.
	lately = 10 * time.Second
	// probing is how long a probe may take, writing a change of the record.
	probing = 10 * time.Second
	writing = 5 * time.Second
	// races is how often a change is tried because others were faster. Each time
	// it is asked anew whether it is still needed.
	races = 5
)

// Config is what a [Breaker] works with. Every field is needed.
type Config struct {
	Store Store
	Now   func() time.Time
}

// Breaker is what one worker process knows of the projects. It is used by many
// goroutines at once.
type Breaker struct {
	Config
	mu       sync.Mutex
	projects map[string]*project
}

// project is one project, or [All]. Its lock is held while its record is read or
// written, so that the deliveries of a batch read it once.
type project struct {
	mu     sync.Mutex
	record record
	readAt time.Time
	known  bool
	// failures counts those in a row, by what this process has heard, and wellAt is
	// when it has heard a success.
	failures int
	of       map[string]bool
	wellAt   time.Time
	// look is the last probe of this process because an answer was lost; nil
	// before the first.
	look *look
}

// look is a probe, and what came of it once done is closed.
type look struct {
	done   chan struct{}
	at     time.Time
	unwell *Fault
}

// New returns a breaker that knows nothing yet.
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
		p = &project{of: map[string]bool{}}
		b.projects[name] = p
	}
	return p
}

// Subject is a delivery that wants to be worked on.
type Subject struct {
	// Project is the key of the Centercode project.
	Project string
	// Delivery tells the deliveries apart.
	Delivery string
	// Probe asks Centercode for something that changes nothing. It returns nil if
	// the answer is well.
	Probe func(context.Context) *Fault
}

// Pass lets a delivery be worked on. Whoever has one says what Centercode
// answered, and that the work has ended. A nil Pass knows nothing and may be used.
type Pass struct {
	b       *Breaker
	subject Subject
	mu      sync.Mutex
	// owner is the name of the turn in which the delivery goes first; "" if it
	// goes like all others.
	owner string
}

// Ask says whether s may be worked on: pass is nil if hold says why it has to
// wait. It may probe the project for that. An error means that nothing is known:
// the pass lets the delivery go.
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
		return nil, hold, nil // nobody knows whose turn it is: it is not this one's
	case !taken.Open():
		return pass, Hold{}, nil // another was faster
	case taken.Owner != owner:
		return nil, hold, nil
	}
	if f := b.probe(ctx, s); f != nil {
		// Should this not be written, the turn ends by itself.
		_, _ = b.change(ctx, s.Project, func(s State, now time.Time) (State, bool) { return s.AsUnwell(owner, *f, now) })
		return nil, hold, nil
	}
	pass.owner = owner
	return pass, Hold{}, nil
}

// Still says whether the pass is good for another request: it is asked before
// each. held is false if it is.
func (p *Pass) Still(ctx context.Context) (hold Hold, held bool) {
	if p == nil || p.first() != "" {
		return Hold{}, false
	}
	all, errAll := p.b.read(ctx, All)
	state, err := p.b.read(ctx, p.subject.Project)
	if errAll != nil || err != nil {
		return Hold{}, false
	}
	return state.hold(all, p.b.Now())
}

// First says whether the delivery goes first in a project that is not well.
func (p *Pass) First() bool { return p != nil && p.first() != "" }

func (p *Pass) first() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owner
}

// end takes the turn from the pass.
func (p *Pass) end() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	owner := p.owner
	p.owner = ""
	return owner
}

// Done says that the work has ended, whatever came of it.
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

// Well says that Centercode answered a ticket or a file, if only with a refusal
// of it. Of a request that only reads nothing is said: it shows as little of
// tickets as a good probe.
func (p *Pass) Well(ctx context.Context) error {
	if p == nil {
		return nil
	}
	known := p.b.heard(p.subject.Project, "")
	if p.end() == "" && (known.Lost == 0 || known.Open()) {
		return nil
	}
	_, err := p.b.change(ctx, p.subject.Project, func(s State, _ time.Time) (State, bool) { return s.AsClosed() })
	return err
}

// Unwell says that Centercode did not answer, or as one that is not well. After a
// lost answer it probes at once, unless a success was heard lately: where little
// happens, nobody else would notice.
func (p *Pass) Unwell(ctx context.Context, f Fault) error {
	if p == nil {
		return nil
	}
	if owner := p.end(); owner != "" {
		_, err := p.b.change(ctx, p.subject.Project, func(s State, now time.Time) (State, bool) { return s.AsFailed(owner, f, now) })
		return err
	}
	edit := func(s State, now time.Time) (State, bool) { return s.AsAsked(f.RetryAfter, now) }
	known := p.b.heard(p.subject.Project, p.subject.Delivery)
	switch {
	case known.Open():
	case p.b.opens(p.subject.Project):
		edit = func(s State, now time.Time) (State, bool) { return s.AsOpened(f, now) }
	case f.Lost && !p.b.wellLately(p.subject.Project):
		if !f.LookUp {
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

// heard counts a failure of a delivery, or a success, which has none. It returns
// what is known of the project.
func (b *Breaker) heard(name, delivery string) State {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if delivery == "" {
		p.failures, p.wellAt = 0, b.Now()
		clear(p.of)
	} else {
		p.failures++
		p.of[delivery] = true
	}
	return p.record.State
}

// wellLately says whether this process has heard a success lately.
func (b *Breaker) wellLately(name string) bool {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	age := b.Now().Sub(p.wellAt)
	return age >= 0 && age <= lately
}

func (b *Breaker) opens(name string) bool {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures >= inARow && len(p.of) >= ofDeliveries
}

// read returns what is known of a project, from the store if that is not fresh.
// While this process probes because an answer was lost, nobody knows.
func (b *Breaker) read(ctx context.Context, name string) (State, error) {
	p := b.project(name)
	p.mu.Lock()
	under := p.look
	p.mu.Unlock()
	if under != nil {
		select {
		case <-under.done:
		case <-ctx.Done():
			return State{}, ctx.Err()
		}
	}
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

// change writes what edit makes of a project, unless that says that there is
// nothing to do. It returns what is stored then. Where another was faster, edit
// is asked about what that one wrote.
func (b *Breaker) change(ctx context.Context, name string, edit func(State, time.Time) (State, bool)) (State, error) {
	// What is known must be written down, though whoever knows it has no time left.
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

// adopt takes over what the store has. Whoever has lived through an outage counts
// anew after it.
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

// probeOnce probes, once for all those of this process who have lost an answer at
// the same time.
func (b *Breaker) probeOnce(ctx context.Context, s Subject) *Fault {
	p := b.project(s.Project)
	p.mu.Lock()
	l := p.look
	mine := l == nil || l.stale(b.Now())
	if mine {
		l = &look{done: make(chan struct{})}
		p.look = l
	}
	p.mu.Unlock()
	if mine {
		defer close(l.done)
		l.unwell = b.probe(ctx, s)
		l.at = b.Now()
		return l.unwell
	}
	<-l.done // a probe has its own bound
	return l.unwell
}

// stale says that a probe has ended, and says nothing of now.
func (l *look) stale(now time.Time) bool {
	select {
	case <-l.done:
		age := now.Sub(l.at)
		return age < 0 || age > fresh
	default:
		return false
	}
}

// Standing says what the deliveries of a project that wait can expect: to go, or
// that one of them may try whether the project is well.
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

// State returns what is stored of a project, or of [All].
func (b *Breaker) State(ctx context.Context, name string) (State, error) {
	r, err := load(ctx, b.Store, name)
	return r.State, err
}

// note writes down that a project has a record, so that [Breaker.States] knows. It
// does no harm if that fails: the next one that is held tries it again.
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

// States returns what is stored of [All], and of each project that was ever not
// well, or paused.
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

// Pause holds a project, or [All] of them, until p says.
func (b *Breaker) Pause(ctx context.Context, name string, p Pause) (State, error) {
	b.note(ctx, name)
	b.forget(name)
	return b.change(ctx, name, func(s State, now time.Time) (State, bool) { return s.AsPaused(p, now), true })
}

// Resume ends a pause. A project that is not well is tried at once.
func (b *Breaker) Resume(ctx context.Context, name string) (State, error) {
	b.forget(name)
	return b.change(ctx, name, func(s State, now time.Time) (State, bool) { return s.AsResumed(now) })
}

// forget has the record read again: a person means what is stored now.
func (b *Breaker) forget(name string) {
	p := b.project(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = false
}

// Alone says that no other process works on these records, as the lock of the
// embedded home ensures: whoever has a turn is dead, and it is given back.
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
