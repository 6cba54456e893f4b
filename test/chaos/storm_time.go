package main

import (
	"context"
	"syscall"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded/embeddedtest"
)

// clockJumps sets the clock, forwards and back, while webhooks arrive and a few requests
// fail. This makes no wait longer, and no lease and no delivery is lost or forgotten. No
// webhook is sent twice: a copy waits for the end of the first one's lease, minutes,
// whatever the clock shows.
func clockJumps(ctx context.Context, g *gale) error {
	g.far.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 503, RetryAfter: "1", Times: 4})
	jumps := []time.Duration{time.Hour, -time.Hour, 400 * 24 * time.Hour, -24 * time.Hour, 5 * time.Minute, -5 * 365 * 24 * time.Hour}
	g.r.Shuffle(len(jumps), func(i, j int) { jumps[i], jumps[j] = jumps[j], jumps[i] })
	sends := make([]int, len(g.plan.deliveries))
	for i := range sends {
		sends[i] = i
	}
	share := len(sends) / len(jumps)
	for i, jump := range jumps {
		g.say("  the clock is set by %s", jump)
		if err := g.clock.set(jump); err != nil {
			return err
		}
		if err := g.sender.send(ctx, sends[i*share:(i+1)*share]); err != nil {
			return err
		}
		// With a restart in the middle.
		if i == len(jumps)/2 {
			g.bridge.end(killBefore)
		}
	}
	// Everything must end while the clock is wrong, and again when it is right.
	if err := embeddedtest.Settled(ctx, g.home); err != nil {
		return err
	}
	return g.rightClock(ctx)
}

// rightClock sets the clock right and restarts the bridge: what is stored must not wait for
// a time that only the wrong clock has shown.
func (g *gale) rightClock(ctx context.Context) error {
	if err := g.clock.set(0); err != nil {
		return err
	}
	before, err := g.bridge.ready(ctx, "")
	if err != nil {
		return err
	}
	g.bridge.end(interrupt)
	_, err = g.bridge.ready(ctx, before)
	return err
}

// beyondLease is longer than a worker keeps its lease without renewing it.
const beyondLease = 130 * time.Second

// stopped stops the process for longer than the lease, while tickets are being made and
// everything else continues.
func stopped(ctx context.Context, g *gale) error {
	first, second := g.half()
	g.far.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Delay: 5 * time.Second, After: true, Times: 10})
	if err := g.sender.send(ctx, first); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return g.far.center.Requests().Create > 0 }); err != nil {
		return err
	}
	if err := g.bridge.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	select {
	case <-time.After(beyondLease):
	case <-ctx.Done():
	}
	if err := g.bridge.signal(syscall.SIGCONT); err != nil {
		return err
	}
	return g.sender.send(ctx, second)
}
