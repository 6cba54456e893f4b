package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// selection is the flags that select dead letters.
type selection struct {
	deadletter.Words
	all bool
}

// flags adds the flags other than ids.
func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.Reasons, "reason", nil, "those with this `reason` (repeatable)")
	f.StringSliceVar(&s.Statuses, "status", nil, "those with this HTTP `status`, such as 400 or 5xx (repeatable)")
	f.StringSliceVar(&s.Stages, "stage", nil, "those that failed at this `step`, such as create (repeatable)")
	f.StringArrayVar(&s.Apps, "app", nil, "those of this `app`; * matches any text (repeatable)")
	f.StringVar(&s.Since, "since", "", "those that died at that `time` or later: 2026-01-31, 2026-01-31T08:00:00Z, or 36h, 7d (ago)")
	f.StringVar(&s.Until, "until", "", "those that died before that `time`")
	f.StringArrayVar(&s.Match, "match", nil, "those whose payload has `FIELD=VALUE`, FIELD!=VALUE, FIELD~REGEXP or FIELD!~REGEXP (repeatable: all must hold)")
	f.StringVar(&s.Group, "group", "", "those with this cause: the `id` that 'dlq list' shows")
	complete(cmd, "reason", texts(queue.Reasons())...)
	complete(cmd, "stage", texts(queue.Stages())...)
	complete(cmd, "status", "400", "401", "403", "404", "4xx", "5xx")
	for _, name := range []string{"app", "since", "until", "match", "group"} {
		complete(cmd, name)
	}
}

// complete sets what a flag's value is completed to: no words mean nothing, not even files.
func complete(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

func texts[S ~string](words []S) (all []string) {
	for _, w := range words {
		all = append(all, string(w))
	}
	return all
}

func readWords(w deadletter.Words) (deadletter.Filter, error) {
	f, err := w.Filter(time.Now())
	if word, ok := errors.AsType[*deadletter.WordError](err); ok && word.Word != "" {
		err = fmt.Errorf("--%w", err)
	}
	if err != nil {
		err = usageError{err}
	}
	return f, err
}

// one checks that a command that changes something has a selection.
func (s *selection) one(verb string) error {
	switch count(len(s.IDs) > 0, s.Any(), s.all) {
	case 1:
		return nil
	case 0:
		return usage("select what to %s: delivery ids, a filter such as --reason, or --all", verb)
	}
	return usage("delivery ids, filters and --all exclude each other")
}

func count(of ...bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

// absent reports ids without a letter, and other letters that could not be received.
func (d *operator) absent(ctx context.Context, in *deadletter.Selection, ids []string) error {
	missing, err := in.Missing(ids)
	if err != nil {
		return err
	}
	for _, id := range missing {
		d.leave("%v", d.NoLetter(ctx, id, in))
	}
	if len(ids) == 0 {
		d.incomplete(in)
	}
	return nil
}

// incomplete warns a person who may believe that the output is complete.
func (d *operator) incomplete(in *deadletter.Selection) {
	switch {
	case in.Absent > 0 && in.Hold == nil:
		d.leave("the queue counts %s more than the ledger knows: if that lasts longer than 5 minutes, '%s' sets it right",
			terminal.Count(in.Absent, "letter"), d.target.Command("dlq adopt"))
	case in.Absent > 0:
		d.leave("%s more in the queue could not be received: another command holds them, or they have just arrived", terminal.Count(in.Absent, "letter"))
	}
	if in.LedgerErr != nil {
		d.leave("the last error of some letters is not known: %v", in.LedgerErr)
	}
}
