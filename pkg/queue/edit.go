package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/plainjson"
)

// maxOldBytes is how much of a replaced value an edit keeps. Longer values are cut, so that
// an edit cannot make a message too large.
const maxOldBytes = 4 << 10

// Edit is a correction that a person made to an event. It is kept in the envelope, beside
// the event, so that the record travels with the message. Workers ignore it.
type Edit struct {
	At    time.Time `json:"at"`
	Field string    `json:"field"`
	// Old is the previous value, null if there was none.
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

// Set sets a field of the event to a string, as [Envelope.Put] does with JSON.
func (e *Envelope) Set(field, value string, at time.Time) (changed bool, err error) {
	if !utf8.ValidString(value) {
		return false, fmt.Errorf("set %q: the value is not UTF-8", field)
	}
	return e.Put(field, quote(value), at)
}

// Put sets a field of the event to a JSON value and records the edit. The rest of the event
// stays byte for byte, and the delivery id does not change: it is the same delivery.
// changed is false if the field has that value already.
func (e *Envelope) Put(field string, value json.RawMessage, at time.Time) (changed bool, err error) {
	if field == "" || !utf8.ValidString(field) || !utf8.Valid(value) {
		return false, fmt.Errorf("set %q: the name is empty, or it or the value is not UTF-8", field)
	}
	start, end, found, err := locate(e.Event, field)
	if err != nil {
		return false, fmt.Errorf("set %s: the event is not JSON: %w", field, err)
	}
	edit := Edit{At: at.UTC().Truncate(time.Second), Field: field, Old: json.RawMessage("null"), New: escapeNonCharacters(value)}
	insert := edit.New
	if found {
		if SameJSON(e.Event[start:end], value) {
			return false, nil
		}
		edit.Old = shortened(e.Event[start:end])
	} else {
		insert = slices.Concat(quote(field), []byte(":"), edit.New)
		if e.hasFields(start) {
			insert = slices.Concat([]byte(","), insert)
		}
	}
	e.Event = slices.Concat(e.Event[:start], insert, e.Event[end:])
	e.Edits = append(slices.Clip(e.Edits), edit)
	return true, nil
}

// SameJSON reports whether two texts are the same JSON, however it is spelled. Numbers are
// equal if their digits are.
func SameJSON(a, b []byte) bool {
	var values [2]any
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// locate finds the value of a field of a JSON object, or the position of the closing brace
// if the field is missing. If a key occurs twice the last one counts, as when the event is
// decoded.
func locate(object []byte, field string) (start, end int, found bool, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return 0, 0, false, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return 0, 0, false, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return 0, 0, false, err
		}
		if key == field {
			end = int(d.InputOffset())
			start, found = end-len(value), true
		}
	}
	if _, err := d.Token(); err != nil {
		return 0, 0, false, err
	}
	if !found {
		start = int(d.InputOffset()) - 1
		end = start
	}
	return start, end, found, nil
}

// hasFields reports whether there is anything before the closing brace.
func (e *Envelope) hasFields(brace int) bool {
	return len(bytes.TrimSpace(bytes.TrimSpace(e.Event[:brace])[1:])) > 0
}

// quote returns a text as JSON, without HTML escapes.
func quote(s string) json.RawMessage {
	text, _ := plainjson.Marshal(s) // a text cannot fail
	return escapeNonCharacters(text)
}

// escapeNonCharacters escapes U+FFFE and U+FFFF, which SQS refuses. They occur only inside
// strings.
func escapeNonCharacters(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`))
}

// shortened returns a value as it is, or the beginning of a long one as a string.
func shortened(value []byte) json.RawMessage {
	if len(value) <= maxOldBytes {
		return bytes.Clone(value)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	return quote(clip.Bytes(text, maxOldBytes, "…"))
}
