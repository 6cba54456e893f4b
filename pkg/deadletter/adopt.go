package deadletter

import (
	"cmp"
	"context"
	"errors"

	"fairbridge/pkg/ledger"
)

// Adopted is the result of an adoption: how many letters the ledger knows now, and how many
// were removed because they were copies or their deliveries are finished.
type Adopted struct{ Letters, Removed int }

// Adopt records every letter of the dead-letter queue in the ledger: those that SQS moved,
// and those that an earlier version wrote. It removes copies, and letters of deliveries
// that are completed or dropped; all others stay in the queue. Deliveries that a worker
// holds are skipped: stays is called with them, and why.
func (d *Manager) Adopt(ctx context.Context, stays func(Letter, error)) (result Adopted, err error) {
	hold := d.queue.Open(ctx)
	defer func() { err = errors.Join(err, hold.Release(ctx)) }()
	newest := map[string]Letter{} // without their bodies, by delivery
	for more := true; more; {
		var letters []Letter
		if more, err = hold.Take(ctx, atOnce, func(l Letter) { letters = append(letters, l) }); err != nil {
			return result, err
		}
		for _, l := range letters {
			if before, seen := newest[l.DeliveryID]; seen {
				letters = append(letters, before)
				delete(newest, l.DeliveryID)
			}
		}
		cases := Cases(letters)
		var useless []Case
		for _, c := range cases {
			for _, l := range c.Copies {
				useless = append(useless, Case{Letter: l})
			}
			l := c.Letter
			l.Body = ""
			newest[c.DeliveryID] = l
		}
		useless = append(useless, d.adopt(ctx, cases, &result, stays)...)
		hold.Remove(context.WithoutCancel(ctx), useless, func(c Case, err error) {
			if err != nil {
				stays(c.Letter, err)
				return
			}
			result.Removed++
		})
	}
	return result, nil
}

// mostUnpacked is roughly how many bytes of bodies [Manager.AdoptUnknown] holds in memory.
const mostUnpacked = 32 << 20

// AdoptUnknown records the letters in a folder's queue that the ledger does not know, as
// [Manager.Adopt] does, but receives and removes none. It is for the start of a bridge, when
// an earlier version may have left letters and nobody can wait. Deliveries that have a
// message in the work queue are left to the worker. It returns how many letters were
// adopted; stays is called for those that were not, with the reason.
func (d *Manager) AdoptUnknown(ctx context.Context, stays func(Letter, error)) (int, error) {
	unknown, err := d.unknown(ctx)
	if err != nil {
		return 0, err
	}
	var result Adopted
	for len(unknown) > 0 {
		var letters []Letter
		size := 0
		if err := peek(ctx, d.home, func(l Letter) bool {
			if unknown[l.DeliveryID].MessageID == l.MessageID {
				letters, size = append(letters, l), size+len(l.Body)
				delete(unknown, l.DeliveryID)
			}
			return len(letters) < atOnce && size < mostUnpacked
		}); err != nil {
			return result.Letters, err
		}
		if len(letters) == 0 {
			break // the others have gone since
		}
		d.adopt(ctx, Cases(letters), &result, stays) // finished ones stay for Adopt
	}
	return result.Letters, ctx.Err()
}

// unknown returns the newest letter, without its body, of each delivery that the ledger
// does not know as dead with its message, and that is not being replayed.
func (d *Manager) unknown(ctx context.Context) (map[string]Letter, error) {
	waiting, err := d.home.Noted(ctx, ledger.AttentionPerson)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, e := range waiting {
		known[e.DeliveryID] = e.Letter > 0
	}
	again, err := d.home.OnTheirWay(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[string]Letter{}
	err = peek(ctx, d.home, func(l Letter) bool {
		l.Body = ""
		_, returns := again[l.DeliveryID]
		if before, seen := newest[l.DeliveryID]; !known[l.DeliveryID] && !returns && (!seen || newer(l, before)) {
			newest[l.DeliveryID] = l
		}
		return true
	})
	return newest, err
}

// adopt returns the cases that can be removed.
func (d *Manager) adopt(ctx context.Context, cases []Case, result *Adopted, stays func(Letter, error)) (useless []Case) {
	sideBySide(lookups, cases, func(c Case) func() {
		if c.Body == "" {
			return nil // adopted before its copy was seen
		}
		err := d.adoptOne(ctx, c.Letter)
		return func() {
			switch _, done := errors.AsType[*ledger.DoneError](err); {
			case done:
				c.Copies = nil
				useless = append(useless, c)
			case err != nil:
				stays(c.Letter, err)
			default:
				result.Letters++
			}
		}
	})
	return useless
}

func (d *Manager) adoptOne(ctx context.Context, l Letter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	kept, fault, err := l.keep()
	if err != nil {
		return err
	}
	fault.Text = cmp.Or(fault.Text, "the queue moved its message after too many receives")
	return d.ledger.Adopt(ctx, l.DeliveryID, l.Generation, fault, kept)
}
