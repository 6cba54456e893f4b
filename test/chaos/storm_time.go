package main

import (
	"context"
	"syscall"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

// beyondLease is longer than a worker has a delivery in hand without being heard of.
const beyondLease = 130 * time.Second

// stopped stops the process beyond the lease, with tickets under way, while all
// else goes on.
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
