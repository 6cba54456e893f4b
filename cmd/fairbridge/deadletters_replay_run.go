package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
)

// atOnce is how many letters are in hand at once where nobody has to see all of
// them before the first goes: so there may be any number.
const atOnce = 1000

func (r *replayCall) wish() wish {
	w := wish{filter: r.filter, payloads: r.asks(), bodies: true}
	if len(r.ids) == 0 && !r.asks() && !r.dryRun {
		w.most = atOnce
	}
	return w
}

func (r *replayCall) run(ctx context.Context, d *desk) (err error) {
	hold := d.queue.Open(ctx)
	defer func() {
		r.release(ctx, d, hold)
		if err == nil && r.left {
			err = errSaid
		}
	}()
	more := true
	for more && r.failures == 0 {
		in, err := d.takeMore(ctx, hold, r.wish())
		if err != nil {
			return err
		}
		more = in.more
		if !more {
			if r.left, err = d.absent(ctx, in, r.ids, r.left); err != nil {
				return err
			}
		}
		cases := r.correct(d, r.notTooOften(d, r.once(ctx, in)))
		if r.dryRun {
			return r.show(ctx, d, cases)
		}
		if len(cases) == 0 {
			continue
		}
		if r.asks() {
			if yes, err := r.ask(ctx, d, cases, in); !yes {
				return err
			}
		}
		if err := r.settle(ctx, d, cases); err != nil {
			return err
		}
		if err := r.send(ctx, d, hold, cases); err != nil {
			return err
		}
	}
	if err := r.tell(d, more); err != nil || r.watch == nil {
		return err
	}
	// What stays is visible to others while this waits.
	r.release(ctx, d, hold)
	slices.SortFunc(r.replayed, func(a, b letterCase) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), strings.Compare(a.DeliveryID, b.DeliveryID))
	})
	good, err := r.watch.follow(ctx, r.replayed, r.timeout)
	r.left = r.left || !good
	return err
}

func (r *replayCall) release(ctx context.Context, d *desk, hold *deadletter.Hold) {
	if err := hold.Release(ctx); err != nil {
		d.say("%v", err)
		r.left = true
	}
}

// once leaves out the deliveries that this run has replayed: another copy of the
// letter goes, and what has failed again is for another run.
func (r *replayCall) once(ctx context.Context, in *inHand) []letterCase {
	var cases []letterCase
	var copies []deadletter.Case
	for _, c := range in.chosen {
		switch generation, was := r.generations[c.DeliveryID]; {
		case !was:
			cases = append(cases, c)
		case c.Generation <= generation:
			copies = append(copies, c.Case)
		default:
			r.again++
		}
	}
	in.hold.Remove(ctx, copies, func(c deadletter.Case, err error) {
		if err == nil {
			r.copies += c.Count()
		}
	})
	return cases
}

// notTooOften leaves out what has been replayed too often.
func (r *replayCall) notTooOften(d *desk, cases []letterCase) []letterCase {
	if r.force {
		return cases
	}
	var kept []letterCase
	for _, c := range cases {
		if c.ReplayCount() < mostReplays {
			kept = append(kept, c)
			continue
		}
		r.left = true
		if r.often++; r.often <= mostSaid {
			d.say("%s has been replayed %s already: mend the cause, then add --force", shortID(c.DeliveryID), terminal.Count(c.ReplayCount(), "time"))
		}
	}
	return kept
}

// mostSaid bounds how often the same is said of different letters.
const mostSaid = 20

func (r *replayCall) ask(ctx context.Context, d *desk, cases []letterCase, in *inHand) (bool, error) {
	if err := writeLetters(d.std.out, cases, in.deliveries, time.Now()); err != nil {
		return false, err
	}
	yes, err := d.ask(ctx, fmt.Sprintf("Replay %s?", terminal.Count(len(cases), "dead letter")))
	if err == nil && !yes {
		d.say("nothing was replayed")
		r.left = true
	}
	return yes, err
}

func (r *replayCall) send(ctx context.Context, d *desk, hold *deadletter.Hold, cases []letterCase) error {
	if r.wait {
		if err := r.follow(ctx, d, cases); err != nil {
			return err
		}
	}
	plain := make([]deadletter.Case, len(cases))
	for i, c := range cases {
		plain[i] = c.Case
	}
	hold.Replay(ctx, plain, r.perSecond, func(c deadletter.Case, err error) {
		if err == nil || errors.Is(err, deadletter.ErrNotRemoved) {
			r.generations[c.DeliveryID] = c.Generation
			r.copies += len(c.Copies)
		}
		if err != nil {
			r.fail(d, c, err)
		}
		d.meter.show("replaying", len(r.generations), max(len(plain), hold.Counted))
	})
	d.meter.clear()
	for _, c := range cases {
		if _, ok := r.generations[c.DeliveryID]; ok {
			c.Body, c.event = "", testfairy.Event{}
			r.replayed = append(r.replayed, c)
		}
	}
	return nil
}

// follow notes how the deliveries stand before they go.
func (r *replayCall) follow(ctx context.Context, d *desk, cases []letterCase) (err error) {
	if r.watch == nil {
		if r.watch, err = d.newWatch(ctx); err != nil {
			return err
		}
	}
	return r.watch.note(ctx, cases)
}

// tell says what became of all. more says that the queue has letters that were
// not looked at.
func (r *replayCall) tell(d *desk, more bool) error {
	if n := r.often - mostSaid; n > 0 {
		d.say("so have been %d more", n)
	}
	if n := r.failures - r.interrupted - mostSaid; n > 0 {
		d.say("and %d more", n)
	}
	if r.interrupted > 0 {
		d.say("interrupted: %d stay", r.interrupted)
	}
	if more {
		d.say("the letters after these were not looked at")
	}
	if r.again > 0 {
		r.left = true
		d.say("%s failed again meanwhile", terminal.Count(r.again, "delivery"))
	}
	summary := terminal.Count(len(r.generations), "dead letter") + " replayed"
	switch r.copies {
	case 0:
	case 1:
		summary += ", 1 copy removed"
	default:
		summary += fmt.Sprintf(", %d copies removed", r.copies)
	}
	_, err := fmt.Fprintln(d.std.out, summary)
	return err
}

// fail says what became of a letter that was not replayed as it should.
func (r *replayCall) fail(d *desk, c deadletter.Case, err error) {
	r.left = true
	r.failures++
	switch {
	case errors.Is(err, context.Canceled):
		r.interrupted++
	case r.failures-r.interrupted > mostSaid:
	case errors.Is(err, deadletter.ErrNotRemoved):
		d.say("%s %v", shortID(c.DeliveryID), err)
	default:
		d.say("%s stays: %v", shortID(c.DeliveryID), err)
	}
}
