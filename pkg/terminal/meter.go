package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// meterEvery is how often a meter is drawn.
const meterEvery = 100 * time.Millisecond

// Meter shows how far something got. Several goroutines may use it.
type Meter struct {
	out io.Writer // nil: nowhere

	mu    sync.Mutex
	drawn bool
	last  time.Time
}

// NewMeter returns a meter that is drawn only if out is a terminal.
func NewMeter(out io.Writer) *Meter {
	if !Is(out) {
		out = nil
	}
	return &Meter{out: out}
}

// Show says how much of something is done.
func (m *Meter) Show(what string, done, of int) { m.draw("%s: %d of %d", what, done, of) }

// Count is Show where nobody knows of how many.
func (m *Meter) Count(what string, done int) { m.draw("%s: %d", what, done) }

func (m *Meter) draw(format string, args ...any) {
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

// Clear takes the meter away, for something else to be written.
func (m *Meter) Clear() {
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
