package worker

import (
	"context"

	"fairbridge/pkg/ledger"
)

const (
	// everybody is more than can run at the same time.
	everybody = 1 << 30
	// mostEndsAlone is how often in a row a delivery may end its worker while it is the
	// worker's only work.
	mostEndsAlone = 5
)

// enter admits a delivery beside others.
func (d *delivery) enter(ctx context.Context) error { return d.become(ctx, 1) }

// becomeAlone waits until nothing else runs in this process, and keeps others out: for a
// delivery whose last attempt ended without recording a result. If that attempt killed its
// worker, this one does not affect other deliveries; and only a delivery that runs alone
// can be blamed.
func (d *delivery) becomeAlone(ctx context.Context) error {
	d.leave()
	return d.become(ctx, everybody)
}

func (d *delivery) become(ctx context.Context, share int64) error {
	if err := d.room.Acquire(ctx, share); err != nil {
		return &waitError{why: "too little time is left to work on it"}
	}
	d.share.Store(share)
	return nil
}

func (d *delivery) leave() {
	if share := d.share.Swap(0); share > 0 {
		d.room.Release(share)
	}
}

// suspect reports whether the last attempt on a delivery that nobody holds ended without
// recording a result: its worker died, or could not write.
func suspect(e ledger.Entry) bool { return e.Suspect || e.Owner != "" }
