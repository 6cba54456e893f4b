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

func (r *replayCall) run(ctx context.Context, d *operator) error {
	r.operator = d
	o := r.options
	o.Looked = func(ctx context.Context, in *deadletter.Selection) error { return r.absent(ctx, in, r.IDs) }
	o.Edited, o.Stays = r.reportEdit, r.reportStays
	if r.asks() {
		o.Confirm = r.confirmReplay
	}
	rest := 0
	var err error
	if r.first > 0 {
		if o, rest, err = d.First(ctx, r.first, o); err != nil {
			return err
		}
	}
	if r.dryRun {
		return r.printRequests(ctx, o)
	}
	return r.replay(ctx, o, rest)
}

// replay replays the selected letters. rest is how many more are selected than are tried.
func (r *replayCall) replay(ctx context.Context, o deadletter.ReplayOptions, rest int) (err error) {
	result, err := r.Replay(ctx, o)
	if result.NotReleased != nil {
		r.leave("%v", result.NotReleased)
	}
	if err != nil {
		return explainSettlement(err)
	}
	if result.Declined {
		r.leave("nothing was replayed")
		return nil
	}
	if len(result.Cases) > 0 {
		r.idle(ctx)
	}
	if err := r.summarize(result); err != nil || !r.wait && r.first == 0 {
		return err
	}
	slices.SortFunc(result.Cases, func(a, b deadletter.Case) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), strings.Compare(a.DeliveryID, b.DeliveryID))
	})
	ends, err := r.Follow(ctx, result.Cases, r.timeout)
	r.meter.Clear()
	for _, e := range ends {
		r.left = r.left || !e.Completed
	}
	err = errors.Join(report.WriteEnds(r.std.out, ends), err)
	if len(ends) > 0 {
		r.say("%v", deadletter.TallyOf(ends))
	}
	if rest > 0 {
		r.goOn(rest, ends)
	}
	return err
}

// idle warns that nobody processes what was replayed.
func (r *replayCall) idle(ctx context.Context) {
	why, err := r.target.Idle(ctx)
	switch {
	case ctx.Err() != nil: // the answer is unknown
	case err != nil:
		r.say("%v", err)
	case why != "":
		r.say("%s", why)
	}
}

// goOn says how to continue with the rest after a trial.
func (r *replayCall) goOn(rest int, ends []deadletter.End) {
	for _, e := range ends {
		if !e.Completed {
			r.say("the other %d stay unchanged; what is wrong with this one: %s", rest, r.target.Command("dlq show "+queue.ShortID(e.DeliveryID)))
			return
		}
	}
	args := append([]string{"dlq", "replay"}, r.Args()...)
	for _, s := range r.sets {
		args = append(args, "--set", s)
	}
	r.say("the other %d: %s", rest, r.target.CommandLine(append(args, "--wait")...))
}

func (r *replayCall) printRequests(ctx context.Context, o deadletter.ReplayOptions) error {
	if o.Checker == nil {
		return fmt.Errorf("there is no %s here to build the requests with; name a file with --config", r.config)
	}
	requests, err := r.DryRun(ctx, o)
	if err != nil {
		return explainSettlement(err)
	}
	r.meter.Clear()
	for i, request := range requests {
		if err := report.WriteRequest(r.std.out, request, i > 0); err != nil {
			return err
		}
		r.left = r.left || len(request.Problems) > 0
	}
	return r.print("\n%s would be replayed, by %s\n", terminal.Count(len(requests), "dead letter"), terminal.Printable(o.Checker.By))
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

func (r *replayCall) reportEdit(c deadletter.Case, changes []queue.Edit, err error) error {
	r.meter.Clear()
	if _, misspelt := errors.AsType[*deadletter.NewFieldError](err); misspelt {
		r.stays(c.DeliveryID, fmt.Errorf("%w; '--new-field' adds it", err))
		return nil
	}
	if err != nil {
		r.stays(c.DeliveryID, err)
	}
	return report.WriteChanges(r.std.out, c.DeliveryID, changes)
}

func (r *replayCall) confirmReplay(ctx context.Context, cases []deadletter.Case, deliveries int) (bool, error) {
	r.meter.Clear()
	if err := pageOf(r.std.out, r.target.Place).List(&deadletter.Selection{Cases: cases, Deliveries: deliveries}); err != nil {
		return false, err
	}
	return ask(ctx, r.std, fmt.Sprintf("Replay %s?", terminal.Count(len(cases), "dead letter")))
}

// reportStays reports a letter that was not replayed as intended. Interrupted ones are only
// counted.
func (r *replayCall) reportStays(c deadletter.Case, err error) {
	r.left = true
	id := queue.ShortID(c.DeliveryID)
	switch {
	case errors.Is(err, deadletter.ErrTooOften):
		r.leaveOneOf(&r.often, "%s has been replayed %s already: fix the cause, then add --force", id, terminal.Count(c.ReplayCount(), "time"))
	case errors.Is(err, deadletter.ErrForgotten):
		r.say("%s %v; look in Centercode, and if it is not there, replay it with --create-again", id, err)
	case errors.Is(err, context.Canceled):
	case errors.Is(err, deadletter.ErrNotRemoved):
		r.leaveOneOf(&r.failed, "%s %v", id, err)
	default:
		r.leaveOneOf(&r.failed, "%s stays: %v", id, err)
	}
}

func (r *replayCall) summarize(done deadletter.Replayed) error {
	if n := r.often - mostSaid; n > 0 {
		r.say("%d more were skipped for the same reason", n)
	}
	if n := r.failed - mostSaid; n > 0 {
		r.say("and %d more", n)
	}
	if done.Interrupted > 0 {
		r.say("interrupted: %d stay", done.Interrupted)
	}
	if done.More {
		r.say("the letters after these were not looked at")
	}
	if done.Again > 0 {
		r.leave("%s failed again meanwhile", terminal.Count(done.Again, "delivery"))
	}
	summary := terminal.Count(len(done.Cases), "dead letter") + " replayed"
	if done.Copies > 0 {
		summary += fmt.Sprintf(", %s removed", terminal.Count(done.Copies, "copy"))
	}
	return r.print("%s\n", summary)
}
