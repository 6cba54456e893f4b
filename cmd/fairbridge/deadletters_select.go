package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
)

// shortestID is how much of a delivery id must be given.
const shortestID = 6

// selection says which dead letters are meant.
type selection struct {
	ids                             []string
	reasons, statuses, stages, apps []string
	since, until                    string
	match                           []string
	all                             bool
}

// flags adds those that select by something else than the id.
func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.reasons, "reason", nil, "those with this reason (repeatable)")
	f.StringSliceVar(&s.statuses, "status", nil, "those with this HTTP status, such as 400 or 5xx (repeatable)")
	f.StringSliceVar(&s.stages, "stage", nil, "those that failed at this step, such as create (repeatable)")
	f.StringArrayVar(&s.apps, "app", nil, "those of this app; * stands for any text (repeatable)")
	f.StringVar(&s.since, "since", "", "those that died at that time or later: 2026-01-31, 2026-01-31T08:00:00Z, or 36h, 7d (ago)")
	f.StringVar(&s.until, "until", "", "those that died before that time")
	f.StringArrayVar(&s.match, "match", nil, "those whose payload has FIELD=VALUE, FIELD!=VALUE, FIELD~REGEXP or FIELD!~REGEXP (repeatable: all must hold)")
	var reasons []string
	for _, r := range queue.Reasons() {
		reasons = append(reasons, string(r))
	}
	complete := func(name string, words []string) {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	complete("reason", reasons)
	var stages []string
	for _, s := range queue.Stages() {
		stages = append(stages, string(s))
	}
	complete("stage", stages)
	complete("status", []string{"400", "401", "403", "404", "4xx", "5xx"})
	for _, name := range []string{"app", "since", "until", "match"} {
		complete(name, nil)
	}
}

// filter reads the flags.
func (s *selection) filter(now time.Time) (deadletter.Filter, error) {
	f := deadletter.Filter{IDs: s.ids, Statuses: s.statuses, Apps: s.apps}
	for _, id := range s.ids {
		if len(id) < shortestID || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
			return f, usage("%q is no delivery id; give at least its first %d characters", id, shortestID)
		}
	}
	for _, r := range s.reasons {
		if !slices.Contains(queue.Reasons(), queue.Reason(r)) {
			return f, usage("there is no reason %q; the reasons are %s", r, joined(queue.Reasons()))
		}
		f.Reasons = append(f.Reasons, queue.Reason(r))
	}
	for _, stage := range s.stages {
		if !slices.Contains(queue.Stages(), queue.Stage(stage)) {
			return f, usage("there is no stage %q; the stages are %s", stage, joined(queue.Stages()))
		}
		f.Stages = append(f.Stages, queue.Stage(stage))
	}
	for _, status := range s.statuses {
		if err := deadletter.CheckStatus(status); err != nil {
			return f, usage("--status: %w", err)
		}
	}
	for _, bound := range []struct {
		flag, text string
		time       *time.Time
	}{{"since", s.since, &f.Since}, {"until", s.until, &f.Until}} {
		if bound.text == "" {
			continue
		}
		at, err := deadletter.ParseTime(bound.text, now)
		if err != nil {
			return f, usage("--%s: %w", bound.flag, err)
		}
		*bound.time = at
	}
	for _, m := range s.match {
		c, err := deadletter.ParseCondition(m)
		if err != nil {
			return f, usage("--match: %w", err)
		}
		f.Match = append(f.Match, c)
	}
	return f, nil
}

// filtered says whether one of the flags was given.
func (s *selection) filtered() bool {
	return len(s.reasons)+len(s.statuses)+len(s.stages)+len(s.apps)+len(s.match) > 0 || s.since != "" || s.until != ""
}

// one checks that a command that changes something was told on what.
func (s *selection) one(verb string) error {
	ways := 0
	for _, used := range []bool{len(s.ids) > 0, s.filtered(), s.all} {
		if used {
			ways++
		}
	}
	switch ways {
	case 1:
		return nil
	case 0:
		return usage("say which to %s: delivery ids, a filter such as --reason, or --all", verb)
	}
	return usage("delivery ids, filters and --all exclude each other")
}

func joined[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// letterCase is a delivery among the dead letters, with what is known besides.
type letterCase struct {
	deadletter.Case
	// event is the payload, empty if it was not asked for or cannot be decoded.
	event testfairy.Event
}

// inHand are dead letters in hand, and of them those that are meant.
type inHand struct {
	hold *deadletter.Hold
	// chosen are those that are meant, the longest dead first.
	chosen []letterCase
	// deliveries counts all that were found.
	deliveries int
	// more says that these are not all.
	more bool
	// ledgerErr says why the last error of some that SQS moved is not known.
	ledgerErr error
}

// wish says what a command needs of the letters that it means.
type wish struct {
	filter deadletter.Filter
	// payloads and bodies are kept only where they are needed: there may be very
	// many letters.
	payloads, bodies bool
	// most is how many letters are taken in hand at once, 0 for all.
	most int
}

// take takes all dead letters in hand and finds those that are meant. The caller
// owes a release.
func (d *desk) take(ctx context.Context, w wish) (*inHand, error) {
	hold := d.queue.Open(ctx)
	in, err := d.takeMore(ctx, hold, w)
	if err != nil {
		return nil, errors.Join(err, hold.Release(ctx))
	}
	return in, nil
}

// takeMore takes dead letters in hand besides those that are.
func (d *desk) takeMore(ctx context.Context, hold *deadletter.Hold, w wish) (*inHand, error) {
	type seen struct {
		event testfairy.Event
		meant bool
	}
	var mu sync.Mutex
	var letters []deadletter.Letter
	known := map[string]seen{} // by message id
	early := w.filter.WithoutFault()
	anyMore, err := hold.Take(ctx, w.most, func(l deadletter.Letter) {
		var s seen
		if w.payloads || w.filter.NeedsPayload() {
			s.event, _ = l.Payload() // what cannot be decoded has no fields
		}
		if l.Reason == queue.ReasonRetriesExhausted {
			s.meant = early.Selects(l, s.event)
		} else {
			s.meant = w.filter.Selects(l, s.event)
		}
		if !s.meant || !w.bodies {
			l.Body = ""
		}
		if !s.meant {
			s.event = testfairy.Event{}
		}
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
		known[l.MessageID] = s
	})
	d.meter.clear()
	if err != nil {
		return nil, err
	}
	in := &inHand{hold: hold, more: anyMore}
	for _, c := range deadletter.Cases(letters) {
		in.deliveries++
		if s := known[c.MessageID]; s.meant {
			in.chosen = append(in.chosen, letterCase{Case: c, event: s.event})
		}
	}
	in.ledgerErr = d.lastErrors(ctx, in.chosen)
	in.chosen = slices.DeleteFunc(in.chosen, func(c letterCase) bool {
		return c.Reason == queue.ReasonRetriesExhausted && !w.filter.Selects(c.Letter, c.event)
	})
	return in, nil
}

// lastErrors fills in what the ledger knows of the letters that SQS moved.
func (d *desk) lastErrors(ctx context.Context, cases []letterCase) error {
	var ids []string
	for _, c := range cases {
		if c.Reason == queue.ReasonRetriesExhausted {
			ids = append(ids, c.DeliveryID)
		}
	}
	known, err := d.entries(ctx, ids)
	for i := range cases {
		if e, ok := known[cases[i].DeliveryID]; ok && cases[i].Reason == queue.ReasonRetriesExhausted {
			describeMoved(&cases[i].Letter, e)
		}
	}
	return err
}

// describeMoved tells of a letter that SQS moved what the ledger knows last.
func describeMoved(l *deadletter.Letter, e ledger.Entry) {
	l.Attempts = e.Attempts
	switch {
	case e.State == ledger.Completed:
		l.Description = "done already, as ticket " + cmp.Or(e.TicketID, "of unknown id")
	case e.Last != nil:
		l.Stage, l.Status, l.Description = queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
}

// missingIDs are those of the ids that no letter has, and an error if one means
// several deliveries.
func (in *inHand) missingIDs(ids []string) (missing []string, err error) {
	for _, id := range ids {
		var hits []string
		for _, c := range in.chosen {
			if strings.HasPrefix(c.DeliveryID, strings.ToLower(id)) {
				hits = append(hits, c.DeliveryID)
			}
		}
		if len(hits) == 0 {
			missing = append(missing, id)
		}
		if len(hits) > 1 {
			return nil, fmt.Errorf("%s is the beginning of %s: %s", id, terminal.Count(len(hits), "delivery id"), strings.Join(hits, ", "))
		}
	}
	return missing, nil
}

// absent tells which of the ids no letter has, and what else was not to be had.
// It returns true if there was something of the kind, and else left.
func (d *desk) absent(ctx context.Context, in *inHand, ids []string, left bool) (bool, error) {
	missing, err := in.missingIDs(ids)
	if err != nil {
		return true, err
	}
	for _, id := range missing {
		d.say("%v", d.noLetter(ctx, id, in))
		left = true
	}
	if len(ids) == 0 {
		left = d.incomplete(in) || left
	}
	return left, nil
}

// incomplete tells a person, who may believe to have seen everything, what is
// not so.
func (d *desk) incomplete(in *inHand) bool {
	if in.hold.Missing > 0 {
		d.say("the queue counts %s more that it does not hand out: another command has them in hand, or they came just now", terminal.Count(in.hold.Missing, "letter"))
	}
	if in.ledgerErr != nil {
		d.say("the last error of some letters is not known: %v", in.ledgerErr)
	}
	return in.hold.Missing > 0 || in.ledgerErr != nil
}
