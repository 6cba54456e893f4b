package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fairbridge/pkg/sqlitedb"
)

// leap is how far the wall clock and the monotonic clock must diverge between two looks for
// the wall clock to count as changed.
const leap = 2 * time.Second

// clock detects changes of the wall clock by comparing it with the monotonic clock.
type clock struct {
	mu   sync.Mutex
	on   bool
	last time.Time
	// passed returns the real time between two readings. With nil, the monotonic clock,
	// which is part of the readings of time.Now, decides.
	passed func(from, to time.Time) time.Duration
}

// jump is a change of the wall clock.
type jump struct {
	by time.Duration
	// last is the last look before it, and passed the real time since.
	last   time.Time
	passed time.Duration
}

// look returns the jump since the last look, if there was one.
func (c *clock) look(now time.Time) (j jump, jumped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.last, c.last = c.last, now
	if !c.on || j.last.IsZero() {
		return jump{}, false
	}
	if j.passed = now.Sub(j.last); c.passed != nil {
		j.passed = c.passed(j.last, now)
	}
	j.by = now.Round(0).Sub(j.last.Round(0)) - j.passed
	return j, j.by.Abs() >= leap
}

// back makes the next look find a jump again.
func (c *clock) back(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = to
}

// KeepWaits makes every message wait for its set delay, even if the clock is changed
// meanwhile. Only the one process that runs the bridge may call it: others would move the
// delays again. First, it shortens delays that are longer than they were set, as after a
// clock change while no bridge ran.
func (s *SQS) KeepWaits(ctx context.Context) error {
	begin := s.now()
	err := s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec("UPDATE messages SET visible_at = ?1 + wait_ms WHERE visible_at > ?1 + wait_ms", begin.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("shorten the waits of messages: %w", err)
	}
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.on, s.clock.last = true, begin
	return nil
}

// keepWaits moves delays by the clock's change since the last look: what was hidden stays
// hidden for the rest of its time, and what was due stays due even if its time is in the
// future again. Delays that were set after the change use the new clock. Of those, a clock
// that was set back can make some visible early, as SQS may too.
func (s *SQS) keepWaits(ctx context.Context) error {
	j, jumped := s.clock.look(s.now())
	if !jumped {
		return nil
	}
	before := j.last.Add(j.passed) // now, by the previous clock
	err := s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec(`UPDATE messages SET visible_at = visible_at + ?1, received_at = received_at + ?1
			WHERE visible_at > ?2 AND visible_at - wait_ms <= ?3`,
			j.by.Milliseconds(), min(j.last.UnixMilli(), before.Add(j.by).UnixMilli()), before.UnixMilli())
		return err
	})
	if err != nil {
		s.clock.back(j.last)
	}
	return err
}
