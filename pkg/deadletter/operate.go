package deadletter

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

const (
	// MostReplays is how often a delivery is replayed without force: what has
	// failed so often has a cause that is still there.
	MostReplays = 3
	// atOnce is how many letters are in hand at once where nobody has to see all
	// of them before the first goes: so there may be any number.
	atOnce = 1000
)

// ErrTooOften says that a letter has been replayed [MostReplays] times.
var ErrTooOften = errors.New("has been replayed too often")

// ErrForgotten says that a letter is so old that the ledger, which knows nothing of
// it, may have known that it is done. It needs [Settlement.CreateAgain].
var ErrForgotten = errors.New("is older than what the ledger remembers: its ticket may exist")

// ReplayOptions say which letters are replayed, and how.
type ReplayOptions struct {
	Filter Filter
	// Sets correct the payloads. They have to be right afterwards, and, with a
	// Checker, to go through its mapping.
	Sets    []Assignment
	Checker *preview.Checker
	// Settlement settles what is in doubt. It is for one delivery.
	Settlement Settlement
	// PerSecond is how many letters go a second at most, 0 for as many as possible.
	PerSecond float64
	// Force replays what has been replayed [MostReplays] times as well.
	Force bool

	// Confirm, if it is set, is asked before anything is changed. It sees all the
	// letters that are meant, out of so many deliveries.
	Confirm func(ctx context.Context, cases []Case, deliveries int) (bool, error)
	// Looked is told when the whole queue has been looked at. An error ends the
	// replay.
	Looked func(context.Context, *Selection) error
	// Edited is told what Sets changed in a letter, and why it stays if it is not
	// right afterwards. An error ends the replay.
	Edited func(Case, []queue.Edit, error) error
	// Stays is told why a letter was not replayed as it should: [ErrTooOften],
	// [ErrForgotten],
	// [ErrNotRemoved], the end of the context or a fault of the queue.
	Stays func(Case, error)
}

// Replayed is what became of a replay.
type Replayed struct {
	// Cases are those that were sent, without their bodies.
	Cases []Case
	// Copies counts the further letters of theirs that were removed.
	Copies int
	// Again counts the deliveries that have failed again meanwhile.
	Again int
	// TooOften, Forgotten, Failed and Interrupted count the letters that Stays was told of.
	TooOften, Forgotten, Failed, Interrupted int
	// More says that the queue has letters that were not looked at.
	More bool
	// Declined says that Confirm said no.
	Declined bool
	// NotReleased says why letters that stay are not visible at once.
	NotReleased error
}

// First narrows a replay down to the first n of the letters that are meant and would
// go, the longest dead first, for a trial before the rest. It looks, and takes nothing
// in hand. rest is how many more are meant; with none to go the error says so.
func (d *Desk) First(ctx context.Context, n int, o ReplayOptions) (_ ReplayOptions, rest int, err error) {
	in, err := d.Look(ctx, Wish{Filter: o.Filter, Entries: true})
	if err != nil {
		return o, 0, err
	}
	var ids []string
	for _, c := range in.Cases {
		if c.Done() || !o.Force && c.ReplayCount() >= MostReplays {
			continue
		}
		if rest++; len(ids) < n {
			ids = append(ids, c.DeliveryID)
		}
	}
	if len(ids) == 0 {
		return o, 0, errors.New("none of the dead letters that are meant can be tried")
	}
	o.Filter = Filter{IDs: ids}
	return o, rest - len(ids), nil
}

// replaying is one call of [Desk.Replay].
type replaying struct {
	*Desk
	ReplayOptions
	result Replayed
	// generations has the deliveries that were replayed.
	generations map[string]int
}

// Replay puts letters back into the work queue. A letter is deleted only after
// the work queue has confirmed it; in between there are both, which the ledger
// recognises. What was begun is finished, even if ctx ends. The result is valid
// with an error, too.
func (d *Desk) Replay(ctx context.Context, o ReplayOptions) (Replayed, error) {
	r := &replaying{Desk: d, ReplayOptions: o, generations: map[string]int{}}
	hold := d.queue.Open(ctx)
	err := r.run(ctx, hold)
	r.result.NotReleased = hold.Release(ctx)
	return r.result, err
}

func (r *replaying) run(ctx context.Context, hold *Hold) error {
	r.result.More = true
	for r.result.More && r.result.Failed == 0 {
		in, cases, err := r.next(ctx, hold, r.wish())
		if err != nil {
			return err
		}
		if len(cases) == 0 {
			continue
		}
		if r.Confirm != nil {
			yes, err := r.Confirm(ctx, cases, in.Deliveries)
			if err != nil || !yes {
				r.result.Declined = err == nil
				return err
			}
		}
		if !r.Settlement.none() {
			if err := r.settle(ctx, cases[0].DeliveryID, r.Settlement); err != nil {
				return err
			}
		}
		r.send(ctx, hold, cases)
	}
	return nil
}

// errWentOn says that a letter which no queue has was replayed by another, or dropped.
var errWentOn = errors.New("is not a dead letter any more")

// writeDown has the ledger remember that a person replays a letter, and what was
// corrected in it: the fields' names, since what they held is in the message.
func (d *Desk) writeDown(ctx context.Context, c Case) error {
	if c.Kept { // nobody has it in hand: a person was asked, and others may have been faster
		if e, err := d.ledger.Entry(ctx, c.DeliveryID); err != nil || !waitsSince(e, c.Generation) {
			return cmp.Or(err, errWentOn)
		}
	}
	did := []string{ledger.ActionReplayed}
	if len(c.corrected) > 0 {
		var fields []string
		for _, edit := range c.corrected {
			fields = append(fields, edit.Field)
		}
		did = []string{"corrected " + strings.Join(fields, ", "), ledger.ActionReplayed}
	}
	return d.ledger.Act(ctx, c.DeliveryID, did...)
}

func (r *replaying) send(ctx context.Context, hold *Hold, cases []Case) {
	hold.Replay(ctx, cases, r.PerSecond, func(c Case, err error) {
		if err == nil || errors.Is(err, ErrNotRemoved) {
			r.generations[c.DeliveryID] = c.Generation
			r.result.Copies += len(c.Copies)
		}
		if err != nil {
			r.result.Failed++
			if errors.Is(err, context.Canceled) {
				r.result.Interrupted++
			}
			r.stays(c, err)
		}
		r.progress("replaying", len(r.generations), max(len(cases), hold.Counted))
	})
	for _, c := range cases {
		if _, ok := r.generations[c.DeliveryID]; ok {
			c.Body, c.Webhook = "", testfairy.Event{}
			r.result.Cases = append(r.result.Cases, c)
		}
	}
}

func (r *replaying) stays(c Case, err error) {
	if r.Stays != nil {
		r.Stays(c, err)
	}
}
