package deadletter

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"fairbridge/pkg/ledger"
)

// Imported is what became of an import: how many letters were put into the
// dead-letter queue, and how many need not be, since their delivery is completed.
type Imported struct{ Letters, Done int }

// Import puts exported letters into the dead-letter queue, after the ledger knows
// what their home knew of them. failed is told, one after the other, which it did
// not take, and why: they can be imported again.
func (d *Desk) Import(ctx context.Context, letters []Letter, failed func(Letter, error)) Imported {
	var mu sync.Mutex
	var result Imported
	var needed []Letter
	sideBySide(lookups, letters, func(l Letter) {
		e, isNeeded, err := d.importOne(ctx, l)
		l.Generation = e.Generation
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			failed(l, err)
		case isNeeded:
			needed = append(needed, l)
		default:
			result.Done++
		}
	})
	slices.SortFunc(needed, func(a, b Letter) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), cmp.Compare(a.DeliveryID, b.DeliveryID))
	})
	d.queue.Add(ctx, needed, func(l Letter, err error) {
		if err != nil {
			failed(l, err)
			return
		}
		result.Letters++
		d.progress("importing", result.Letters, len(needed))
	})
	return result
}

func (d *Desk) importOne(ctx context.Context, l Letter) (ledger.Entry, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Entry{}, false, err
	}
	kept, fault, err := l.keep()
	if err != nil {
		return ledger.Entry{}, false, err
	}
	return d.ledger.Import(ctx, l.DeliveryID, l.Entry, l.Generation, fault, kept)
}
