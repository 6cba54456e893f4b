package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"fairbridge/pkg/queue"
)

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
	if err := json.Indent(&text, envelope.Event, "", "  "); err != nil {
		return Draft{}, fmt.Errorf("show the payload of delivery %s: %w", queue.ShortID(c.DeliveryID), err)
	}
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
		if err := json.Compact(&value, after[field]); err != nil {
			return nil, err
		}
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
