package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// replayTeller writes the progress of a replay.
type replayTeller struct {
	*operator
	call *replayCall
	// often and failed count the messages written.
	often, failed int
}

func (r *replayCall) run(ctx context.Context, d *operator) error {
	t := &replayTeller{operator: d, call: r}
	o := r.options
	o.Looked = func(ctx context.Context, in *deadletter.Selection) error { return t.absent(ctx, in, r.IDs) }
	o.Edited, o.Stays = t.edited, t.tellStays
	if r.asks() {
		o.Confirm = t.confirm
	}
	rest := 0
	var err error
	if r.first > 0 {
		if o, rest, err = d.First(ctx, r.first, o); err != nil {
			return err
		}
	}
	if r.dryRun {
		return t.dryRun(ctx, o)
	}
	return t.replay(ctx, o, rest)
}

// replay replays the selected letters. rest is how many more are selected than are tried.
func (t *replayTeller) replay(ctx context.Context, o deadletter.ReplayOptions, rest int) (err error) {
	result, err := t.Replay(ctx, o)
	if result.NotReleased != nil {
		t.leave("%v", result.NotReleased)
	}
	if err != nil {
		return explainSettlement(err)
	}
	if result.Declined {
		t.leave("nothing was replayed")
		return nil
	}
	if len(result.Cases) > 0 {
		t.idle(ctx)
	}
	if err := t.tell(result); err != nil || !t.call.wait && t.call.first == 0 {
		return err
	}
	slices.SortFunc(result.Cases, func(a, b deadletter.Case) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), strings.Compare(a.DeliveryID, b.DeliveryID))
	})
	ends, err := t.Follow(ctx, result.Cases, t.call.timeout)
	t.meter.Clear()
	for _, e := range ends {
		t.left = t.left || !e.Completed
	}
	err = errors.Join(report.WriteEnds(t.std.out, ends), err)
	if len(ends) > 0 {
		t.say("%v", deadletter.TallyOf(ends))
	}
	if rest > 0 {
		t.goOn(rest, ends)
	}
	return err
}

// idle warns that nobody processes what was replayed.
func (t *replayTeller) idle(ctx context.Context) {
	why, err := t.target.Idle(ctx)
	switch {
	case ctx.Err() != nil: // the answer is unknown
	case err != nil:
		t.say("%v", err)
	case why != "":
		t.say("%s", why)
	}
}

// goOn says how to continue with the rest after a trial.
func (t *replayTeller) goOn(rest int, ends []deadletter.End) {
	for _, e := range ends {
		if !e.Completed {
			t.say("the other %d stay unchanged; what is wrong with this one: %s", rest, t.at.Command("dlq show "+queue.ShortID(e.DeliveryID)))
			return
		}
	}
	args := append([]string{"dlq", "replay"}, t.call.Args()...)
	for _, s := range t.call.sets {
		args = append(args, "--set", s)
	}
	t.say("the other %d: %s", rest, t.at.CommandLine(append(args, "--wait")...))
}

// dryRun prints the requests that a replay would send.
func (t *replayTeller) dryRun(ctx context.Context, o deadletter.ReplayOptions) error {
	if o.Checker == nil {
		return fmt.Errorf("there is no %s here to build the requests with; name a file with --config", t.call.config)
	}
	requests, err := t.DryRun(ctx, o)
	if err != nil {
		return explainSettlement(err)
	}
	t.meter.Clear()
	for i, r := range requests {
		if err := report.WriteRequest(t.std.out, r, i > 0); err != nil {
			return err
		}
		t.left = t.left || len(r.Problems) > 0
	}
	return t.print("\n%s would be replayed, by %s\n", terminal.Count(len(requests), "dead letter"), terminal.Printable(o.Checker.By))
}

// explainSettlement adds how to continue if there is nothing to settle.
func explainSettlement(err error) error {
	if e, ok := errors.AsType[*deadletter.NotInDoubtError](err); ok {
		without := "--as-created and --create-again"
		if e.NotMade {
			without = "--as-created"
		}
		return fmt.Errorf("%w; replay it without %s", err, without)
	}
	return err
}

func (t *replayTeller) edited(c deadletter.Case, changes []queue.Edit, err error) error {
	t.meter.Clear()
	if _, misspelt := errors.AsType[*deadletter.NewFieldError](err); misspelt {
		t.stays(c.DeliveryID, fmt.Errorf("%w; '--new-field' adds it", err))
		return nil
	}
	if err != nil {
		t.stays(c.DeliveryID, err)
	}
	return report.WriteChanges(t.std.out, c.DeliveryID, changes)
}

func (t *replayTeller) confirm(ctx context.Context, cases []deadletter.Case, deliveries int) (bool, error) {
	t.meter.Clear()
	if err := pageOf(t.std.out, t.at.Place).List(&deadletter.Selection{Cases: cases, Deliveries: deliveries}); err != nil {
		return false, err
	}
	return ask(ctx, t.std, fmt.Sprintf("Replay %s?", terminal.Count(len(cases), "dead letter")))
}

// tellStays reports a letter that was not replayed as intended. Interrupted ones are only
// counted.
func (t *replayTeller) tellStays(c deadletter.Case, err error) {
	t.left = true
	id := queue.ShortID(c.DeliveryID)
	switch {
	case errors.Is(err, deadletter.ErrTooOften):
		t.leaveOneOf(&t.often, "%s has been replayed %s already: fix the cause, then add --force", id, terminal.Count(c.ReplayCount(), "time"))
	case errors.Is(err, deadletter.ErrForgotten):
		t.say("%s %v; look in Centercode, and if it is not there, replay it with --create-again", id, err)
	case errors.Is(err, context.Canceled):
	case errors.Is(err, deadletter.ErrNotRemoved):
		t.leaveOneOf(&t.failed, "%s %v", id, err)
	default:
		t.leaveOneOf(&t.failed, "%s stays: %v", id, err)
	}
}

// tell writes the overall result.
func (t *replayTeller) tell(r deadletter.Replayed) error {
	if n := t.often - mostSaid; n > 0 {
		t.say("%d more were skipped for the same reason", n)
	}
	if n := t.failed - mostSaid; n > 0 {
		t.say("and %d more", n)
	}
	if r.Interrupted > 0 {
		t.say("interrupted: %d stay", r.Interrupted)
	}
	if r.More {
		t.say("the letters after these were not looked at")
	}
	if r.Again > 0 {
		t.leave("%s failed again meanwhile", terminal.Count(r.Again, "delivery"))
	}
	summary := terminal.Count(len(r.Cases), "dead letter") + " replayed"
	if r.Copies > 0 {
		summary += fmt.Sprintf(", %s removed", terminal.Count(r.Copies, "copy"))
	}
	return t.print("%s\n", summary)
}
