package worker

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"
)

const (
	// A file's speed is that of the last one to two windows: a twentieth of the
	// time that was left at its beginning, but no less than shortestWindow, in
	// which a source may catch its breath.
	windowsInTime  = 20
	shortestWindow = 2 * time.Second
)

// pace is how fast a file moves: what was seen of it at two points in time.
type pace struct {
	window         time.Duration
	earlier, later point
}

// point is how many bytes had passed at a time.
type point struct {
	at    time.Time
	bytes int64
}

func newPace(now time.Time, left time.Duration) *pace {
	begin := point{at: now}
	return &pace{window: max(left/windowsInTime, shortestWindow), earlier: begin, later: begin}
}

// needs is how long so many bytes more will take at the speed seen, or 0 as long
// as too little was seen to tell.
func (p *pace) needs(now point, more int64) time.Duration {
	if now.at.Sub(p.later.at) >= p.window {
		p.earlier, p.later = p.later, now
	}
	took := now.at.Sub(p.earlier.at)
	if took < p.window {
		return 0
	}
	return estimate(now.bytes-p.earlier.bytes, took, more)
}

// estimate is how long more bytes take if so many took that long.
func estimate(bytes int64, took time.Duration, more int64) time.Duration {
	switch {
	case more <= 0:
		return 0
	case bytes <= 0:
		return math.MaxInt64
	}
	// In floating point, since 2 GiB times nanoseconds do not fit an int64.
	needed := float64(took) * float64(more) / float64(bytes)
	return time.Duration(min(needed, math.MaxInt64/2))
}

// paced is a file on its way that gives up when it cannot arrive in time. The
// delivery is then handed back early, and the next attempt has an invocation's
// whole time; the rest of this one is not spent on what is thrown away.
type paced struct {
	io.Reader
	*delivery
	pace
	size, read int64
}

// pacedFile returns file as it is if its size or the time is not limited.
func (d *delivery) pacedFile(file io.Reader, size int64) io.Reader {
	left, limited := d.left()
	if size < 0 || !limited {
		return file
	}
	return &paced{Reader: file, delivery: d, pace: *newPace(d.Now(), left), size: size}
}

// left is the time until this attempt's work has to stop. It is asked each time:
// the embedded home moves the deadline when it stops.
func (d *delivery) left() (left time.Duration, limited bool) {
	deadline, limited := d.invocation.Deadline()
	return deadline.Sub(d.Now()) - d.Margin, limited
}

// Read reads on, or returns a *waitError.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.read += int64(n)
	if err != nil || p.read == p.size {
		return n, err
	}
	now := p.Now()
	needs := p.needs(point{now, p.read}, p.size-p.read)
	if left, limited := p.left(); limited && needs > left && p.gate.giveWay(now, p.window) {
		return n, &waitError{own: true, why: fmt.Sprintf("at the speed of its first %d of %d bytes the file would take %s more, and %s are left",
			p.read, p.size, needs.Round(time.Second), left.Round(time.Second))}
	}
	return n, nil
}

// gate is shared by the records of one batch.
type gate struct {
	mu      sync.Mutex
	gaveWay time.Time // when a file last gave up
}

// giveWay lets one of a batch's files give up at a time: the others may arrive
// with what it leaves them, and have a window to show it.
func (g *gate) giveWay(now time.Time, window time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.gaveWay) < window {
		return false
	}
	g.gaveWay = now
	return true
}
