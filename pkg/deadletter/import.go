package deadletter

import "context"

// Import puts exported letters into the dead-letter queue. It returns how many it
// took; failed is told, one after the other, which it did not take, and why. The
// error says that the ledger could not be asked: nothing was imported.
func (d *Desk) Import(ctx context.Context, letters []Letter, failed func(Letter, error)) (imported int, err error) {
	ids := make([]string, len(letters))
	for i, l := range letters {
		ids[i] = l.DeliveryID
	}
	known, err := d.entries(ctx, ids)
	if err != nil {
		return 0, err
	}
	for i := range letters {
		// A letter that was dropped, or of which the ledger has seen a later one,
		// would be passed over as an old copy.
		l := &letters[i]
		l.Generation = max(l.Generation, known[l.DeliveryID].Generation)
	}
	d.queue.Add(ctx, letters, func(l Letter, err error) {
		if err != nil {
			failed(l, err)
			return
		}
		imported++
		d.progress("importing", imported, len(letters))
	})
	return imported, nil
}
