package deadletter

import (
	"cmp"
	"context"
	"slices"

	"fairbridge/pkg/ledger"
)

// Imported is the result of an import: how many letters were added to the dead-letter
// queue, and how many were not needed because their delivery is completed.
type Imported struct{ Letters, Done int }

// Import adds exported letters to the dead-letter queue, after recording their home's
// entries in the ledger. failed is called, one at a time, for letters that were not added,
// with the reason: they can be imported again.
func (d *Manager) Import(ctx context.Context, letters []Letter, failed func(Letter, error)) Imported {
	var result Imported
	var needed []Letter
	sideBySide(lookups, letters, func(l Letter) func() {
		e, isNeeded, err := d.importOne(ctx, l)
		l.Generation = e.Generation
		return func() {
			switch {
			case err != nil:
				failed(l, err)
			case isNeeded:
				needed = append(needed, l)
			default:
				result.Done++
			}
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

func (d *Manager) importOne(ctx context.Context, l Letter) (ledger.Entry, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Entry{}, false, err
	}
	kept, fault, err := l.keep()
	if err != nil {
		return ledger.Entry{}, false, err
	}
	return d.ledger.Import(ctx, l.DeliveryID, l.Entry, l.Generation, fault, kept)
}
