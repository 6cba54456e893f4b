// Package testfairy reads TestFairy's webhook payloads: it decodes them leniently, reports
// what is odd about them, and gives each an identity.
//
// TestFairy (now "Sauce Labs Mobile App Distribution") documents its payloads by example
// only: one JSON object for each webhook, with its kind in "event". In practice any value
// may be missing or null, a number may be a string, and an app may add feedback fields of
// its own. The package does not depend on AWS, but what it returns can be sent through SQS.
package testfairy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fairbridge/pkg/internal/plainjson"
)

// Kind is the kind of an event: the payload's "event" field, in lower case and without
// surrounding white space. "" is the kind of an event that has none.
type Kind string

// KindOf returns the kind with that name.
func KindOf(name string) Kind { return Kind(strings.ToLower(strings.TrimSpace(name))) }

// The kinds whose payloads TestFairy documents. Its new platform, Sauce Labs' Mobile App
// Distribution, sends only the last three.
const (
	KindFeedback Kind = "feedback"
	KindCrash    Kind = "crash"
	KindUpload   Kind = "upload"
	KindDownload Kind = "download"
	KindNewUDID  Kind = "new-udid"
)

// Known reports whether k is a documented kind.
func (k Kind) Known() bool {
	_, known := checks[k]
	return known
}

// Event is a decoded webhook payload.
type Event struct {
	// Kind is the payload's kind; it may be unknown, and is empty if "event" is missing or
	// not a string.
	Kind Kind
	// JSON is the payload as received, except for characters that SQS does not accept in a
	// message: see Decode.
	JSON json.RawMessage
	// Fields has every field of the payload, documented or not, with numbers as
	// json.Number. Of a duplicate key it has the last value. It is never nil after Decode.
	Fields map[string]any
}

// maxDepth bounds the nesting of arrays and objects. Documented payloads are flat; the
// bound keeps every later traversal of Fields shallow.
const maxDepth = 100

var byteOrderMark = []byte("\uFEFF")

// Decode decodes a payload. It accepts what strict JSON refuses but senders produce: a
// leading byte order mark, control characters and invalid UTF-8 inside strings. In
// Event.JSON these become \u escapes (an invalid byte becomes \ufffd), and so do U+FFFE and
// U+FFFF, which SQS refuses; everything else is unchanged, so the values of a valid payload
// are preserved.
//
// The error is a *SyntaxError: body is not one JSON object, or nests deeper than 100
// levels. The contents of the object are never an error; see [Event.Odd].
func Decode(body []byte) (Event, error) {
	text := bytes.TrimPrefix(body, byteOrderMark)
	event, err := decodeText(text)
	if syntax, ok := errors.AsType[*SyntaxError](err); ok && syntax.Offset >= 0 {
		syntax.Offset += int64(len(body) - len(text))
	}
	return event, err
}

func decodeText(text []byte) (Event, error) {
	normalised, err := normalise(text)
	if err != nil {
		return Event{}, err
	}
	fields, err := decodeObject(normalised)
	if err != nil {
		// The offset is that in the normalised text. Escaping only adds bytes: if the
		// lengths are equal, so are the bytes.
		if syntax, ok := errors.AsType[*SyntaxError](err); ok && len(normalised) != len(text) {
			syntax.Offset = -1
		}
		return Event{}, err
	}
	kind, _ := fields["event"].(string)
	return Event{Kind: KindOf(kind), JSON: normalised, Fields: fields}, nil
}

// decodeObject decodes text, which must be exactly one JSON object.
func decodeObject(text []byte) (map[string]any, error) {
	const space = " \t\r\n" // JSON's own, RFC 8259 section 2
	start := len(text) - len(bytes.TrimLeft(text, space))
	if start == len(text) {
		return nil, &SyntaxError{Offset: 0, Problem: "the body is empty"}
	}
	if text[start] != '{' {
		return nil, &SyntaxError{Offset: int64(start), Problem: "the body is not a JSON object"}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any // encoding/json decodes into an interface without reflection, unlike into a map
	if err := decoder.Decode(&value); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			// encoding/json includes the offending byte.
			return nil, &SyntaxError{Offset: max(syntax.Offset-1, 0), Problem: syntax.Error()}
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &SyntaxError{Offset: int64(len(text)), Problem: "the body ends too early"}
		}
		return nil, &SyntaxError{Offset: -1, Problem: err.Error()}
	}
	end := decoder.InputOffset()
	if rest := bytes.TrimLeft(text[end:], space); len(rest) > 0 {
		return nil, &SyntaxError{Offset: int64(len(text) - len(rest)), Problem: "the body continues after the JSON object"}
	}
	fields, _ := value.(map[string]any) // it begins with a brace
	return fields, nil
}

// Text returns a scalar field as text: a string as it is, a number as its literal, a
// boolean as true or false. It returns "" if the field is missing, null, an object or an
// array.
func (e Event) Text(field string) string {
	switch value := e.Fields[field].(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}

// DeliveryID identifies the event: the SHA-256 (hex) of its canonical JSON, which has
// sorted keys, no insignificant white space, and numbers as they were received. TestFairy
// sends no id of its own, so the same payload twice is one delivery. Two payloads that
// differ only in white space, key order, escaping, or an overwritten duplicate key have the
// same id.
func (e Event) DeliveryID() string {
	sum := sha256.Sum256(appendCanonical(make([]byte, 0, len(e.JSON)+1), e.Fields))
	return hex.EncodeToString(sum[:])
}

// appendCanonical appends what [json.Encoder] writes of a decoded value, without HTML escapes
// and the line end. For a map, encoding/json takes three times as long.
func appendCanonical(b []byte, value any) []byte {
	switch value := value.(type) {
	case map[string]any:
		keys := slices.AppendSeq(make([]string, 0, len(value)), maps.Keys(value))
		slices.Sort(keys)
		b = append(b, '{')
		for i, key := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			b = appendCanonical(b, value[key])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, element := range value {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, element)
		}
		return append(b, ']')
	case string:
		return appendText(b, value)
	case json.Number:
		return append(b, value...)
	case bool:
		return strconv.AppendBool(b, value)
	}
	return append(b, "null"...)
}

// appendText leaves text in which something may have to be escaped to encoding/json.
func appendText(b []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			escaped, _ := plainjson.Marshal(text) // a string cannot fail
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
