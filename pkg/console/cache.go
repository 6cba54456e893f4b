package console

import (
	"sync"
	"time"
)

// cache keeps a value that takes long to read, and that all open pages show at the same
// time. One goroutine reads it again while somebody looks, and it is shown meanwhile.
type cache[T any] struct {
	now func() time.Time
	// read reads the value, and returns how long it is fresh. told is called afterwards.
	read func() (value *T, fresh time.Duration)
	told func()

	mu    sync.Mutex
	last  *T
	at    time.Time // when the reading of last began
	fresh time.Duration
	old   bool          // last is to be read again
	next  chan struct{} // closed when the reading in progress ends; nil if there is none
	// changes counts this console's changes: what was read before one is outdated.
	changes int
}

// get returns the last value, its age, and what is closed when the reading in progress
// ends. It starts one if the value is not fresh any more.
func (c *cache[T]) get() (last *T, age time.Duration, next <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age = c.now().Sub(c.at)
	if c.next == nil && (c.last == nil || c.old || age >= c.fresh) {
		c.next, c.old = make(chan struct{}), false
		go c.fill(c.next, c.changes)
	}
	return c.last, age, c.next
}

// known returns the last value, and starts nothing.
func (c *cache[T]) known() *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *cache[T]) fill(done chan struct{}, changes int) {
	at := c.now()
	value, fresh := c.read()
	c.mu.Lock()
	if c.next = nil; c.changes == changes {
		c.last, c.at, c.fresh = value, at, fresh
	}
	c.mu.Unlock()
	close(done)
	c.told()
}

// expire marks the value as outdated. After a change of our own it is not shown any more.
func (c *cache[T]) expire(ourselves bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old = true
	if ourselves {
		c.last = nil
		c.changes++
	}
}
