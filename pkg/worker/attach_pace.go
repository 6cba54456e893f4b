package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
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
	*attachment.File
	*delivery
	pace
	read     int64
	opened   time.Time
	deadline time.Time     // the invocation's, zero if it has none
	waited   time.Duration // for the source
}

func (d *delivery) watch(file *attachment.File) *paced {
	left, _ := d.left()
	deadline, _ := d.invocation.Deadline()
	return &paced{File: file, delivery: d, pace: *newPace(d.Now(), left), opened: d.Now(), deadline: deadline}
}

// left is the time until this attempt's work has to stop. It is asked each time:
// the embedded home moves the deadline when it stops.
func (d *delivery) left() (left time.Duration, limited bool) {
	deadline, limited := d.invocation.Deadline()
	return deadline.Sub(d.Now()) - d.Margin, limited
}

// Read reads on, or gives up.
func (p *paced) Read(b []byte) (int, error) {
	asked := p.Now()
	n, err := p.File.Read(b)
	now := p.Now()
	p.waited += now.Sub(asked)
	p.read += int64(n)
	left, limited := p.left()
	if err != nil || p.read == p.Size || p.Size < 0 || !limited {
		return n, err
	}
	needs := p.needs(point{now, p.read}, p.Size-p.read)
	if needs > left && p.gate.giveWay(now, p.window) {
		return n, p.blame(&waitError{own: p.hasItsTime(), why: fmt.Sprintf("at the speed of its first %d of %d bytes the file would take %s more, and %s are left",
			p.read, p.Size, needs.Round(time.Second), left.Round(time.Second))})
	}
	return n, nil
}

// hasItsTime reports whether the time is the one that the file began with: the
// embedded home cuts it short when it stops, which is not the file's fault.
func (p *paced) hasItsTime() bool {
	deadline, _ := p.invocation.Deadline()
	return deadline.Equal(p.deadline)
}

// blame makes err the source's fault if the file waited more for that than for
// Centercode: at the end of the delivery's patience a person hears of the source,
// and an optional file is left out.
func (p *paced) blame(err error) error {
	if p.waited <= p.Now().Sub(p.opened)/2 || !p.hasItsTime() {
		return err
	}
	return &attachment.Error{Reason: "the source is too slow: the file does not arrive within the time that it has", Err: err}
}

// judge is blame for an upload that the end of ctx has cut off. That Centercode did
// not answer is not in what it returns then.
func (p *paced) judge(ctx context.Context, err error) error {
	var api *centercode.Error
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.As(err, &api) || api.Status != 0 || api.Lost {
		return err
	}
	if slow := p.blame(errors.New(err.Error())); attachment.IsSourceFault(slow) {
		return &centercode.SourceError{Err: slow}
	}
	return err
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
