package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const meterEvery = 100 * time.Millisecond

// Meter shows the progress of long work. It is safe for concurrent use.
type Meter struct {
	out io.Writer // nil: nowhere

	mu    sync.Mutex
	drawn bool
	last  time.Time
}

// NewMeter returns a meter, which draws only if out is a terminal.
func NewMeter(out io.Writer) *Meter {
	if !Is(out) {
		out = nil
	}
	return &Meter{out: out}
}

// Show shows that done of the total are done.
func (m *Meter) Show(what string, done, of int) { m.draw("%s: %d of %d", what, done, of) }

// Deliveries shows how many deliveries were looked at; the total is not known.
func (m *Meter) Deliveries(n int) { m.draw("deliveries looked at: %d", n) }

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

// Clear removes the meter before other output is written.
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
