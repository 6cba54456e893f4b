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
	// A file's speed is that of the last one to two windows. A window is a twentieth of the
	// time that was left at its beginning, but at least shortestWindow, so that a source
	// may pause briefly.
	windowsInTime  = 20
	shortestWindow = 2 * time.Second
)

// pace measures the speed of a file at two points in time.
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

// needs returns how long more bytes will take at the current speed, or 0 while that is
// unknown.
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

// estimate extrapolates: how long more bytes take if bytes took that long.
func estimate(bytes int64, took time.Duration, more int64) time.Duration {
	switch {
	case more <= 0:
		return 0
	case bytes <= 0:
		return math.MaxInt64
	}
	// In floating point, since 2 GiB times nanoseconds do not fit into an int64.
	needed := float64(took) * float64(more) / float64(bytes)
	return time.Duration(min(needed, math.MaxInt64/2))
}

// paced is a file being uploaded that gives up if it cannot arrive in time. The delivery is
// then handed back early, and the next attempt has a whole invocation; the rest of this one
// is not spent on an upload that will be discarded.
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

// left returns the time until this attempt's work has to stop. It is computed each time,
// because the embedded home moves the deadline when it stops.
func (d *delivery) left() (left time.Duration, limited bool) {
	deadline, limited := d.invocation.Deadline()
	return deadline.Sub(d.Now()) - d.Margin, limited
}

// Read reads, or gives up.
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

// hasItsTime reports whether the deadline is still the one that the file began with: the
// embedded home moves it when it stops, which is not the file's fault.
func (p *paced) hasItsTime() bool {
	deadline, _ := p.invocation.Deadline()
	return deadline.Equal(p.deadline)
}

// blame makes err the source's fault if the upload waited more for the source than for
// Centercode. At the end of the delivery's patience the dead letter then names the source,
// and an optional file is left out.
func (p *paced) blame(err error) error {
	if p.waited <= p.Now().Sub(p.opened)/2 || !p.hasItsTime() {
		return err
	}
	return &attachment.Error{Reason: "the source is too slow: the file does not arrive within the time that it has", Err: err}
}

// judge is blame for an upload that was cut off by the end of ctx, whose error does not
// show who was slow.
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

// giveWay lets only one file of a batch give up at a time: the others may arrive with the
// bandwidth that it frees, and get a window to show it.
func (g *gate) giveWay(now time.Time, window time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.gaveWay) < window {
		return false
	}
	g.gaveWay = now
	return true
}
