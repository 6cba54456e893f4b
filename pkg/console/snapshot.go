package console

import (
	"context"
	"errors"
	"sync"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
)

// snapshot is the state of the bridge at a time.
type snapshot struct {
	Status *home.Status
	Groups []group
	// Absent counts the letters that the ledger does not know.
	Absent int
	// GroupsErr is why the letters cannot be shown.
	GroupsErr error
	At        time.Time
}

// group is dead letters with one cause, as a page shows them.
type group struct {
	deadletter.Group
	Advice deadletter.Advice
	Cases  []deadletter.Case
}

// snapshots caches the last snapshot: all open pages refresh at the same time, and the
// bridge must not be read for each of them.
type snapshots struct {
	mu   sync.Mutex
	last *snapshot
	old  bool          // it is shown, but asked for again
	next chan struct{} // closed when whoever asks is done; nil if nobody does
	// changes counts this console's changes: what was read before one is outdated.
	changes int
}

const (
	// freshFor is how long a snapshot is current, staleFor how long it is shown while it is
	// read again.
	freshFor = 5 * time.Second
	staleFor = time.Minute
)

// age marks the snapshot as outdated. After a change of our own it is not shown any more.
func (c *snapshots) age(ourselves bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old = true
	if ourselves {
		c.last = nil
		c.changes++
	}
}

// dead returns the last known number of letters.
func (c *snapshots) dead() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || c.last.Status.DeadLetters == nil {
		return 0
	}
	return c.last.Status.DeadLetters.Total()
}

// now returns a snapshot. It waits only if there is no recent one.
func (s *Console) now(ctx context.Context) (*snapshot, error) {
	c := &s.snapshots
	for {
		c.mu.Lock()
		last := c.last
		age := staleFor
		if last != nil {
			age = s.Now().Sub(last.At)
		}
		if c.next == nil && (c.old || age >= freshFor) {
			c.next, c.old = make(chan struct{}), false
			go s.ask(c.next, c.changes)
		}
		next := c.next
		c.mu.Unlock()
		if last != nil && age < staleFor {
			return last, nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.running.Done():
			return nil, errors.New("the console is being stopped")
		}
	}
}

func (s *Console) ask(done chan struct{}, changes int) {
	n := &snapshot{At: s.Now()}
	var both sync.WaitGroup
	both.Go(func() { n.Status = s.Home.Status(s.running, home.StatusOptions{Config: s.Config.Config}) })
	both.Go(func() { n.Groups, n.Absent, n.GroupsErr = s.groups(s.running) })
	both.Wait()
	c := &s.snapshots
	c.mu.Lock()
	if c.next = nil; c.changes == changes {
		c.last = n
	}
	c.mu.Unlock()
	close(done)
	s.news.tell()
}

// groups returns the current dead letters. None is received.
func (s *Console) groups(ctx context.Context) (all []group, absent int, err error) {
	in, err := s.manager.Look(ctx, deadletter.Query{Entries: true})
	if err != nil {
		return nil, 0, err
	}
	byID := make(map[string]deadletter.Case, len(in.Cases))
	for _, c := range in.Cases {
		byID[c.DeliveryID] = c
	}
	for _, g := range deadletter.Groups(in.Cases) {
		of := group{Group: g}
		for _, id := range g.IDs {
			of.Cases = append(of.Cases, byID[id])
		}
		of.Advice = deadletter.AdviceFor(of.Cases[0].Letter, of.Cases[0].Entry)
		all = append(all, of)
	}
	return all, in.Absent, nil
}
