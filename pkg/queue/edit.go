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
)

// maxOldBytes is what an edit keeps of the value it replaced. Longer ones are
// cut, so that correcting a message cannot make it too large.
const maxOldBytes = 4 << 10

// Edit is a correction that a person made to an event. It stays in the envelope,
// beside the event, so that the record travels with the message. A worker reads
// past it.
type Edit struct {
	At    time.Time `json:"at"`
	Field string    `json:"field"`
	// Old is the value before, null if there was none.
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

// Set gives a field of the event a new value, which is text, as [Envelope.Put] does.
func (e *Envelope) Set(field, value string, at time.Time) (changed bool, err error) {
	if !utf8.ValidString(value) {
		return false, fmt.Errorf("set %q: the value is not UTF-8", field)
	}
	return e.Put(field, quote(value), at)
}

// Put gives a field of the event a new value, which is JSON, and notes the edit. The
// rest of the event stays byte for byte, and so does the delivery id: it is the same
// delivery. changed is false if the field has that value already.
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

// SameJSON says whether two texts are the same JSON, however they spell it; a number
// is another one if its digits are.
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

// locate finds the value of a field of a JSON object, or else the place of the
// closing brace. Of a key that came twice the last one counts, as when the event
// is decoded.
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

// hasFields says whether anything stands before the closing brace.
func (e *Envelope) hasFields(brace int) bool {
	return len(bytes.TrimSpace(bytes.TrimSpace(e.Event[:brace])[1:])) > 0
}

// quote writes a text as JSON, without the escapes that are for HTML.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSpace(escapeNonCharacters(b.Bytes()))
}

// escapeNonCharacters writes U+FFFE and U+FFFF, which SQS refuses, as escapes.
// They can only stand in strings.
func escapeNonCharacters(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`))
}

// shortened keeps a value as it is, or the beginning of a long one as text.
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
