package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
		m = c.Mapping
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

// Draft is a dead letter's payload for editing.
type Draft struct {
	DeliveryID string
	// Text is the payload as indented JSON.
	Text []byte
}

// Draft returns the payload of the letter with that id, or with an id that starts with it.
// The letter is not received.
func (d *Manager) Draft(ctx context.Context, id string) (Draft, error) {
	c, err := d.one(ctx, Query{Filter: Filter{IDs: []string{id}}, Bodies: true})
	if err != nil {
		return Draft{}, err
	}
	envelope, err := queue.Decode(c.Body)
	if err != nil {
		return Draft{}, fmt.Errorf("the letter of delivery %s has no payload: %w", queue.ShortID(c.DeliveryID), err)
	}
	var text bytes.Buffer
	_ = json.Indent(&text, envelope.Event, "", "  ") // it is JSON, or it had not been decoded
	text.WriteByte('\n')
	return Draft{DeliveryID: c.DeliveryID, Text: text.Bytes()}, nil
}

// Corrections returns what a person changed in the draft: the fields that differ, sorted by
// name. A removed field becomes null. An error says where the text is not a JSON object;
// newFields allows new fields as [Assignment.New] does.
func (f Draft) Corrections(edited []byte, newFields bool) ([]Assignment, error) {
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(f.Text, &before); err != nil {
		return nil, fmt.Errorf("read the draft: %w", err)
	}
	if err := json.Unmarshal(edited, &after); err != nil {
		return nil, notObject(edited, err)
	}
	if after == nil {
		return nil, errors.New("this is not a JSON object")
	}
	for field := range before {
		if _, kept := after[field]; !kept {
			after[field] = json.RawMessage("null")
		}
	}
	var changes []Assignment
	for _, field := range slices.Sorted(maps.Keys(after)) {
		if was, had := before[field]; had && queue.SameJSON(was, after[field]) {
			continue
		}
		var value bytes.Buffer
		_ = json.Compact(&value, after[field]) // it is JSON, as the whole is
		changes = append(changes, Assignment{Field: field, JSON: value.Bytes(), New: newFields})
	}
	return changes, nil
}

// notObject says where a text is not a JSON object.
func notObject(text []byte, err error) error {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		before := text[:min(int(syntax.Offset), len(text))]
		return fmt.Errorf("line %d: this is not JSON: %w", 1+bytes.Count(before, []byte("\n")), err)
	}
	return errors.New("this is not a JSON object")
}
