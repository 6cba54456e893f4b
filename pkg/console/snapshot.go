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

const (
	// freshFor is how long a snapshot is current, staleFor how long it is shown while it is
	// read again.
	freshFor = 5 * time.Second
	staleFor = time.Minute
)

// now returns a snapshot. It waits only if there is no recent one.
func (s *Console) now(ctx context.Context) (*snapshot, error) {
	for {
		last, age, next := s.snapshots.get()
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

func (s *Console) readSnapshot() (*snapshot, time.Duration) {
	n := &snapshot{At: s.Now()}
	var both sync.WaitGroup
	both.Go(func() { n.Status = s.Home.Status(s.running, home.StatusOptions{Config: s.Config.Config}) })
	both.Go(func() { n.Groups, n.Absent, n.GroupsErr = s.groups(s.running) })
	both.Wait()
	return n, freshFor
}

// dead returns the last known number of letters.
func (s *Console) dead() int {
	if n := s.snapshots.known(); n != nil && n.Status.DeadLetters != nil {
		return n.Status.DeadLetters.Total()
	}
	return 0
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
