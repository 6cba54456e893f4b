package deadletter

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Drop drops the letters of a selection: it records the reason in the ledger first, since a
// letter that is gone must be explained, and then deletes the letters. It returns how many
// were dropped; stays is called, one at a time, for those that were not, with the reason.
func (d *Manager) Drop(ctx context.Context, in *Selection, because string, stays func(Case, error)) (dropped int) {
	var noted []Case
	sideBySide(lookups, in.Cases, func(c Case) func() {
		err := ctx.Err()
		if err == nil {
			err = d.ledger.Drop(ctx, c.DeliveryID, c.Generation, because)
		}
		return func() {
			if err == nil {
				noted = append(noted, c)
			} else {
				stays(c, err)
			}
		}
	})
	slices.SortFunc(noted, func(a, b Case) int { return strings.Compare(a.DeliveryID, b.DeliveryID) })
	return d.removeDropped(context.WithoutCancel(ctx), in, noted, func(c Case, err error) {
		stays(c, errors.Join(errors.New("the ledger has it as dropped"), err))
	})
}

// DropDone deletes the finished letters of a selection, see [Case.Done], and leaves all
// others. It needs the cases' entries, and returns for how many deliveries letters were
// deleted; stays is called, one at a time, for those that could not be, with the reason.
func (d *Manager) DropDone(ctx context.Context, in *Selection, stays func(Case, error)) (dropped int) {
	done := slices.DeleteFunc(slices.Clone(in.Cases), func(c Case) bool { return !c.Done() })
	return d.removeDropped(ctx, in, done, stays)
}

func (d *Manager) removeDropped(ctx context.Context, in *Selection, cases []Case, stays func(Case, error)) (dropped int) {
	in.Hold.Remove(ctx, cases, func(c Case, err error) {
		if err != nil {
			stays(c, err)
			return
		}
		dropped++
		d.progress("dropping", dropped, len(cases))
	})
	return dropped
}
