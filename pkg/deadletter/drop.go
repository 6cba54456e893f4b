package deadletter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
)

// Drop gives the letters of a selection up: the reason goes into the ledger first,
// since a letter that is gone must be explained, then the letters are deleted. It
// returns how many were dropped; stays is told, one after the other, which were
// not, and why.
func (d *Desk) Drop(ctx context.Context, in *Selection, because string, stays func(Case, error)) (dropped int) {
	var mu sync.Mutex
	var noted []Case
	sideBySide(lookups, in.Cases, func(c Case) {
		err := ctx.Err()
		if err == nil {
			err = d.ledger.Drop(ctx, c.DeliveryID, c.Generation, because)
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			noted = append(noted, c)
		} else {
			stays(c, err)
		}
	})
	slices.SortFunc(noted, func(a, b Case) int { return strings.Compare(a.DeliveryID, b.DeliveryID) })
	in.Hold.Remove(context.WithoutCancel(ctx), noted, func(c Case, err error) {
		if err != nil {
			stays(c, errors.Join(errors.New("the ledger says that it is dropped"), err))
			return
		}
		dropped++
		d.progress("dropping", dropped, len(noted))
	})
	return dropped
}

// DropDone deletes the letters of a selection about which nothing is left to do, see
// [Case.Done], and leaves all others. It needs the cases' entries, and returns how
// many deliveries' letters went; stays is told, one after the other, which did not,
// and why.
func (d *Desk) DropDone(ctx context.Context, in *Selection, stays func(Case, error)) (dropped int) {
	done := slices.DeleteFunc(slices.Clone(in.Cases), func(c Case) bool { return !c.Done() })
	in.Hold.Remove(ctx, done, func(c Case, err error) {
		if err != nil {
			stays(c, err)
			return
		}
		dropped++
		d.progress("dropping", dropped, len(done))
	})
	return dropped
}
