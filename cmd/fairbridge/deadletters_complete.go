package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

const (
	// completeIn bounds the time after pressing Tab.
	completeIn = 3 * time.Second
	// mostCompleted is how many ids are offered: more would not help before another
	// character is typed.
	mostCompleted = 100
)

// completeIDs completes the delivery ids of a command that takes up to most of them (0: any
// number) instead of s's filters.
func completeIDs(at *place, s *selection, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		if most > 0 && len(given) >= most || s.Any() || s.all {
			return nil, directive
		}
		var ids []cobra.Completion
		seen := map[string]bool{}
		look(cmd.Context(), at, func(l deadletter.Letter) bool {
			if seen[l.DeliveryID] || isGiven(given, l.DeliveryID) || !strings.HasPrefix(l.DeliveryID, typed) {
				return true
			}
			seen[l.DeliveryID] = true
			id := l.DeliveryID
			if len(typed) <= len(queue.ShortID(id)) {
				id = queue.ShortID(id)
			}
			ids = append(ids, cobra.CompletionWithDesc(id, gist(l)))
			return len(ids) < mostCompleted
		})
		return ids, directive
	}
}

// completeAssignment completes the field of --set, from the payloads of the given letters.
func completeAssignment(at *place) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		if strings.Contains(typed, "=") {
			return nil, directive
		}
		values := map[string]string{} // by field
		looked := 0
		look(cmd.Context(), at, func(l deadletter.Letter) bool {
			if len(given) > 0 && !isGiven(given, l.DeliveryID) {
				return true
			}
			event, _ := l.Payload() // a payload that cannot be decoded has no fields
			for field := range event.Fields {
				values[field] = cmp.Or(values[field], event.Text(field))
			}
			looked++
			return looked < max(1, len(given))
		})
		var fields []cobra.Completion
		for _, field := range slices.Sorted(maps.Keys(values)) {
			if _, err := deadletter.ParseAssignment(field + "="); err == nil && strings.HasPrefix(field, typed) {
				fields = append(fields, cobra.CompletionWithDesc(field+"=", terminal.Shorten(terminal.Printable(values[field]), 30)))
			}
		}
		return fields, directive
	}
}

// isGiven reports whether one of the ids, possibly shortened, is that of a delivery.
func isGiven(ids []string, delivery string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(delivery, strings.ToLower(id)) })
}

// gist describes a letter in a few words.
func gist(l deadletter.Letter) string {
	c := deadletter.Case{Letter: l}
	c.Webhook, _ = l.Payload() // a payload that cannot be decoded adds nothing
	return terminal.Shorten(terminal.Printable(strings.TrimSuffix(string(l.Reason)+": "+cmp.Or(c.Saying(), l.Description), ": ")), 80)
}

// look calls visit for dead letters until it returns false. Errors and timeouts are
// ignored: there is no place for a message while a line is being typed.
func look(ctx context.Context, at *place, visit func(deadletter.Letter) bool) {
	ctx, cancel := context.WithTimeout(ctx, completeIn)
	defer cancel()
	t, err := at.open(ctx)
	if err != nil {
		return
	}
	defer t.Close()
	_ = deadletter.Glance(ctx, t, visit)
}
