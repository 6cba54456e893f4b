package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
)

// assignment is one --set.
type assignment struct{ field, value string }

func parseAssignment(s string) (assignment, error) {
	field, value, ok := strings.Cut(s, "=")
	if field = strings.TrimSpace(field); !ok || field == "" {
		return assignment{}, usage("--set %q is not FIELD=VALUE", s)
	}
	if !json.Valid([]byte(`"`+field+`"`)) || strings.ContainsAny(field, `"\`) {
		return assignment{}, usage("--set %q: this is no name of a field", s)
	}
	return assignment{field: field, value: value}, nil
}

// correct applies --set and shows what it changes. What is not right afterwards
// is left out.
func (r *replayCall) correct(d *desk, cases []letterCase) []letterCase {
	if len(r.assignments) == 0 {
		return cases
	}
	var right []letterCase
	for _, c := range cases {
		changes, err := edit(&c.Letter, r.assignments, r.checker, time.Now())
		writeChanges(d.std.out, c.DeliveryID, changes)
		if err != nil {
			d.say("%s stays: %v", shortID(c.DeliveryID), err)
			r.left = true
			continue
		}
		right = append(right, c)
	}
	return right
}

func writeChanges(out io.Writer, id string, changes []queue.Edit) {
	fmt.Fprintln(out, shortID(id))
	if len(changes) == 0 {
		fmt.Fprintln(out, "  nothing to change")
	}
	for _, c := range changes {
		if string(c.Old) != "null" {
			fmt.Fprintf(out, "- %s: %s\n", terminal.Printable(c.Field), terminal.Shorten(terminal.Printable(string(c.Old)), 200))
		}
		fmt.Fprintf(out, "+ %s: %s\n", terminal.Printable(c.Field), terminal.Shorten(terminal.Printable(string(c.New)), 200))
	}
}

// edit applies corrections to a letter, and checks what was set and, if there is
// a fairbridge.yaml, the result as the worker does. It returns what it changed.
func edit(l *deadletter.Letter, sets []assignment, c *preview.Checker, now time.Time) (changes []queue.Edit, err error) {
	envelope, err := queue.Decode(l.Body)
	if err != nil {
		return nil, fmt.Errorf("it cannot be corrected: %w", err)
	}
	before := len(envelope.Edits)
	for _, s := range sets {
		if _, err := envelope.Set(s.field, s.value, now); err != nil {
			return nil, err
		}
	}
	changes = envelope.Edits[before:]
	event, err := testfairy.Decode(envelope.Event)
	if err != nil {
		return changes, err
	}
	if err := checkSet(event, sets); err != nil {
		return changes, err
	}
	if c != nil {
		if _, err := c.Map(envelope); err != nil && !errors.Is(err, mapping.ErrIgnored) {
			return changes, err
		}
	}
	body, err := envelope.Encode()
	if err != nil {
		return changes, err
	}
	l.Body, l.Event = body, string(event.Kind)
	return changes, nil
}

// checkSet refuses a value that is not as TestFairy documents its field. From
// TestFairy it would be taken; from a person it is a slip.
func checkSet(event testfairy.Event, sets []assignment) error {
	var slips []error
	for _, o := range event.Odd() {
		if slices.ContainsFunc(sets, func(s assignment) bool { return s.field == o.Field }) {
			slips = append(slips, fmt.Errorf("%s %s", o.Field, o.Problem))
		}
	}
	return errors.Join(slips...)
}
