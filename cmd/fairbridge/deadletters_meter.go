package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// meterEvery is how often a meter is drawn.
const meterEvery = 100 * time.Millisecond

// meter shows how far a command got, on a terminal only. Several goroutines use
// it.
type meter struct {
	out io.Writer // nil: nowhere

	mu    sync.Mutex
	drawn bool
	last  time.Time
}

func newMeter(out io.Writer) *meter {
	if !isTerminal(out) {
		out = nil
	}
	return &meter{out: out}
}

func (m *meter) show(what string, done, of int) {
	m.draw("%s: %d of %d", what, done, of)
}

// count is show where nobody knows of how many.
func (m *meter) count(what string, done int) {
	m.draw("%s: %d", what, done)
}

func (m *meter) draw(format string, args ...any) {
	if m.out == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.last) >= meterEvery {
		m.last, m.drawn = now, true
		fmt.Fprintf(m.out, "\r\x1b[K"+format, args...)
	}
}

// clear takes the meter away, for something else to be written.
func (m *meter) clear() {
	if m.out == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.drawn {
		m.drawn, m.last = false, time.Time{}
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}
