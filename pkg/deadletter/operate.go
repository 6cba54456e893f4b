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
	// MostReplays is how often a delivery is replayed without Force: if it fails that
	// often, its cause is still there.
	MostReplays = 3
	// atOnce is how many letters are held at a time if nobody has to see all of them before
	// the first is sent. So there may be any number.
	atOnce = 1000
)

// ErrTooOften means that a letter has been replayed [MostReplays] times.
var ErrTooOften = errors.New("has been replayed too often")

// ErrForgotten means that a letter is not in the ledger, and so old that the ledger may
// have forgotten that it is done. It needs [Settlement.CreateAgain].
var ErrForgotten = errors.New("is older than what the ledger remembers: its ticket may exist")

// ReplayOptions selects the letters to replay, and how.
type ReplayOptions struct {
	Filter Filter
	// Sets are corrections of the payloads. The payloads must be valid afterwards and, with
	// a Checker, pass its mapping.
	Sets    []Assignment
	Checker *preview.Checker
	// Settlement settles what is in doubt. It is for one delivery only.
	Settlement Settlement
	// PerSecond limits how many letters are sent a second, 0 for no limit.
	PerSecond float64
	// Force also replays what has been replayed [MostReplays] times.
	Force bool

	// Confirm, if set, is called before anything is changed, with all selected letters and
	// the number of deliveries in the queue.
	Confirm func(ctx context.Context, cases []Case, deliveries int) (bool, error)
	// Looked is called when the whole queue has been read. An error ends the replay.
	Looked func(context.Context, *Selection) error
	// Edited is called with what Sets changed in a letter, and with the reason if the
	// letter stays because it is invalid afterwards. An error ends the replay.
	Edited func(Case, []queue.Edit, error) error
	// Stays is called with the reason if a letter was not replayed as intended:
	// [ErrTooOften], [ErrForgotten], [ErrNotRemoved], the end of the context or an error of
	// the queue.
	Stays func(Case, error)
}

// Replayed is the result of a replay.
type Replayed struct {
	// Cases are those that were sent, without their bodies.
	Cases []Case
	// Copies counts their further letters that were removed.
	Copies int
	// Again counts the deliveries that have failed again meanwhile.
	Again int
	// Failed counts the calls of Stays for letters that could not be replayed, Interrupted
	// those of them at the end of the context.
	Failed, Interrupted int
	// More means that the queue has letters that were not read.
	More bool
	// Declined means that Confirm returned false.
	Declined bool
	// NotReleased is why letters that stay are not visible at once.
	NotReleased error
}

// First reduces a replay to the first n selected letters that would be sent, the oldest
// death first, for a trial before the rest. It receives nothing. rest is how many more are
// selected; if there are none to send, the error says so.
func (d *Manager) First(ctx context.Context, n int, o ReplayOptions) (_ ReplayOptions, rest int, err error) {
	in, err := d.Look(ctx, Query{Filter: o.Filter, Entries: true})
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

// replaying is the state of one [Manager.Replay].
type replaying struct {
	*Manager
	ReplayOptions
	result Replayed
	// generations has the deliveries that were replayed.
	generations map[string]int
}

// Replay sends letters to the work queue. A letter is deleted only after the work queue has
// confirmed it; in between there are both, which the ledger recognises. What has begun is
// finished even if ctx ends. The result is valid even with an error.
func (d *Manager) Replay(ctx context.Context, o ReplayOptions) (Replayed, error) {
	r := &replaying{Manager: d, ReplayOptions: o, generations: map[string]int{}}
	hold := d.queue.Open(ctx)
	err := r.run(ctx, hold)
	r.result.NotReleased = hold.Release(ctx)
	return r.result, err
}

func (r *replaying) run(ctx context.Context, hold *Hold) error {
	r.result.More = true
	for r.result.More && r.result.Failed == 0 {
		in, err := r.selectMore(ctx, hold, r.query())
		if err != nil {
			return err
		}
		cases, err := r.toGo(ctx, in)
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

// errWentOn means that a letter that is in no queue was replayed or dropped by somebody
// else.
var errWentOn = errors.New("is not a dead letter any more")

// writeDown records in the ledger that a person replays a letter, with the names of
// corrected fields; their values are in the message.
func (d *Manager) writeDown(ctx context.Context, c Case) error {
	if c.Kept { // nobody holds it: the person took time to confirm, and others may have been faster
		if e, err := d.ledger.Entry(ctx, c.DeliveryID); err != nil || !waitsSince(e, c.Generation) {
			return cmp.Or(err, errWentOn)
		}
	}
	var did, fields []string
	for _, edit := range c.corrected {
		fields = append(fields, edit.Field)
	}
	if len(fields) > 0 {
		did = append(did, "corrected "+strings.Join(fields, ", "))
	}
	return d.ledger.Act(ctx, c.DeliveryID, append(did, ledger.ActionReplayed)...)
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
