package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fairbridge/pkg/sqlitedb"
)

// leap is how far wall clock and monotonic clock must part at least, within one
// look, for the wall clock to have been set.
const leap = 2 * time.Second

// clock notices that the wall clock was set, by the monotonic one, which is not.
type clock struct {
	mu   sync.Mutex
	on   bool
	last time.Time
	// passed is how much time really went by between two readings; nil asks the
	// monotonic clock, which is in the readings of time.Now.
	passed func(from, to time.Time) time.Duration
}

// jump is that the wall clock was set.
type jump struct {
	by time.Duration
	// last was the last look before it, really so long ago.
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

// back has the next look find a jump once more.
func (c *clock) back(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = to
}

// KeepWaits has every message wait as long as it was told to, also if the clock
// is set meanwhile. It is for the one process that works on the queues: others
// would move the waits a second time. It first shortens waits that are longer than
// they were set, as after a clock that was set while nobody worked here.
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

// keepWaits moves the waits by what the clock was set since the last look: what
// was hidden then is hidden for the rest of its time, and what was due is due, though
// its time is to come once more. What was told to wait after that knows the clock as
// it is; of that, a clock that was set back can make visible early what was hidden
// between the setting and this look, as SQS may too.
func (s *SQS) keepWaits(ctx context.Context) error {
	j, jumped := s.clock.look(s.now())
	if !jumped {
		return nil
	}
	before := j.last.Add(j.passed) // now, on the clock as it was
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
