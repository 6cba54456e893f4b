package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
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

// absent tells which of the ids no letter has, and what else was not to be had.
// It returns true if there was something of the kind, and else left.
func (d *desk) absent(ctx context.Context, in *deadletter.Selection, ids []string, left bool) (bool, error) {
	missing, err := in.Missing(ids)
	if err != nil {
		return true, err
	}
	for _, id := range missing {
		d.say("%v", d.NoLetter(ctx, id, in))
		left = true
	}
	if len(ids) == 0 {
		left = d.incomplete(in) || left
	}
	return left, nil
}

// incomplete tells a person, who may believe to have seen everything, what is
// not so.
func (d *desk) incomplete(in *deadletter.Selection) bool {
	switch {
	case in.Absent > 0 && in.Hold == nil:
		d.say("the queue counts %s more than the ledger knows: if that lasts longer than 5 minutes, '%s' sets it right",
			terminal.Count(in.Absent, "letter"), d.at.Command("dlq adopt"))
	case in.Absent > 0:
		d.say("the queue counts %s more that it does not hand out: another command has them in hand, or they came just now", terminal.Count(in.Absent, "letter"))
	}
	if in.LedgerErr != nil {
		d.say("the last error of some letters is not known: %v", in.LedgerErr)
	}
	return in.Absent > 0 || in.LedgerErr != nil
}
