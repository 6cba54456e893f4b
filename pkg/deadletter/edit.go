package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/internal/suggest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// Assignment is a correction: a field of the payload and its new value.
type Assignment struct {
	Field string
	// Value is the new value, a text unless JSON is set.
	Value string
	JSON  json.RawMessage
	// New allows a field that no event is known to have.
	New bool
}

// NewFieldError means that a correction names a field that the event does not have and no
// event is known to have.
type NewFieldError struct{ Field, Nearest string }

// Error implements error.
func (e *NewFieldError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("the event has no field %s (did you mean %s?)", e.Field, e.Nearest)
	}
	return "the event has no field " + e.Field
}

// ParseAssignment parses FIELD=VALUE.
func ParseAssignment(s string) (Assignment, error) {
	field, value, ok := strings.Cut(s, "=")
	if field = strings.TrimSpace(field); !ok || field == "" {
		return Assignment{}, fmt.Errorf("%q is not FIELD=VALUE", s)
	}
	if !json.Valid([]byte(`"`+field+`"`)) || strings.ContainsAny(field, `"\`) {
		return Assignment{}, fmt.Errorf("%q is not the name of a field", s)
	}
	return Assignment{Field: field, Value: value}, nil
}

// Edit applies corrections to a letter, and validates the changes and, if there is a
// fairbridge.yaml, the result as the worker does. It returns what it changed.
func Edit(l *Letter, sets []Assignment, c *preview.Checker, now time.Time) (changes []queue.Edit, err error) {
	envelope, err := queue.Decode(l.Body)
	if err != nil {
		return nil, fmt.Errorf("it cannot be corrected: %w", err)
	}
	if err := checkFields(envelope, sets, c); err != nil {
		return nil, err
	}
	before := len(envelope.Edits)
	for _, s := range sets {
		if s.JSON != nil {
			_, err = envelope.Put(s.Field, s.JSON, now)
		} else {
			_, err = envelope.Set(s.Field, s.Value, now)
		}
		if err != nil {
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

// checkFields refuses a field that is probably misspelt.
func checkFields(e queue.Envelope, sets []Assignment, c *preview.Checker) error {
	var m *mapping.Config
	if c != nil {
		m = c.Mapping()
	}
	known := append(m.Fields(), testfairy.FieldNames(e.Event)...)
	for _, s := range sets {
		if !s.New && !slices.Contains(known, s.Field) {
			return &NewFieldError{Field: s.Field, Nearest: suggest.Nearest(s.Field, known)}
		}
	}
	return nil
}

// checkSet refuses a value that is not as TestFairy documents the field. From TestFairy it
// would be accepted; from a person it is probably a mistake.
func checkSet(event testfairy.Event, sets []Assignment) error {
	var slips []error
	for _, o := range event.Odd() {
		if slices.ContainsFunc(sets, func(s Assignment) bool { return s.Field == o.Field }) {
			slips = append(slips, fmt.Errorf("%s %s", o.Field, o.Problem))
		}
	}
	return errors.Join(slips...)
}
