package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/mapping/internal/strictyaml"
)

// outcome is the result of a value, or of one element of a list.
type outcome int

const (
	sent    outcome = iota
	leftOut         // by omit or omitEmpty
	failed          // an error was recorded
)

// value returns the JSON of a parameter.
func (m *mapper) value(key string, f field) (json.RawMessage, outcome) {
	given, ok := m.given(key, f)
	switch {
	case !ok:
		return nil, failed
	case f.value.list:
		return m.array(key, f, given)
	}
	return m.single(key, f, given[0])
}

// given returns what the value's items produce: constants unchanged, templates as text,
// split if the file says so.
func (m *mapper) given(key string, f field) (all []constant, ok bool) {
	ok = true
	for _, i := range f.value.items {
		if !i.template.given() {
			all = append(all, i.constant)
			continue
		}
		s, ran := m.run(f.line, key, i.template)
		ok = ok && ran
		if f.value.split == "" {
			all = append(all, constant{text: s})
			continue
		}
		for part := range strings.SplitSeq(s, f.value.split) {
			all = append(all, constant{text: strings.TrimSpace(part)})
		}
	}
	return all, ok
}

// array returns a list of the elements that are neither empty nor left out.
func (m *mapper) array(key string, f field, given []constant) (json.RawMessage, outcome) {
	var elements [][]byte
	result := sent
	for _, c := range given {
		if strings.TrimSpace(c.text) == "" {
			continue
		}
		element, o := m.single(key, f, c)
		if o == failed {
			result = failed
		}
		// Two synonyms of one choice are one selection.
		twice := f.value.choice != nil && slices.ContainsFunc(elements, func(e []byte) bool { return bytes.Equal(e, element) })
		if o == sent && !twice {
			elements = append(elements, element)
		}
	}
	if result == sent && len(elements) == 0 {
		switch {
		case f.value.required:
			return nil, m.empty(key, f)
		case f.value.omitEmpty:
			return nil, leftOut
		}
	}
	list := append([]byte{'['}, bytes.Join(elements, []byte{','})...)
	return append(list, ']'), result
}

// single returns one JSON value for a text or a constant.
func (m *mapper) single(key string, f field, c constant) (json.RawMessage, outcome) {
	v := f.value
	s := strings.TrimSpace(c.text)
	switch {
	case v.omit != nil && anyMatches(v.omit, fold(s)):
		return nil, leftOut
	case s == "" && v.required:
		return nil, m.empty(key, f)
	case s == "" && v.omitEmpty:
		return nil, leftOut
	case v.choice != nil:
		return m.choose(key, f, s)
	case c.json != nil:
		return c.json, sent
	case v.as == "number":
		if !jsonNumber().MatchString(s) || len(s) > maxNumber {
			return nil, m.refuse(key, f, "is not a number", s)
		}
		return json.RawMessage(s), sent
	case v.as == "boolean":
		if b := strings.ToLower(s); b == "true" || b == "false" {
			return json.RawMessage(b), sent
		}
		return nil, m.refuse(key, f, "is neither true nor false", s)
	}
	data, _ := plainjson.Marshal(c.text) // a text cannot fail
	return data, sent
}

// choose finds the allowed value for a text.
func (m *mapper) choose(key string, f field, s string) (json.RawMessage, outcome) {
	choice := f.value.choice
	if data, ok := choice.find(s); ok {
		return data, sent
	}
	problem := "is not one of the allowed values"
	if s == "" {
		problem = "is empty, which is not one of the allowed values"
	}
	if choice.fallback == nil {
		return nil, m.refuse(key, f, problem, s)
	}
	m.warn(key, problem+"; the fallback "+strictyaml.Quote(choice.fallback.text)+" is sent", s)
	return choice.fallback.json, sent
}

func (m *mapper) empty(key string, f field) outcome {
	return m.refuse(key, f, "is required, and the event has nothing for it", "")
}

func (m *mapper) refuse(key string, f field, problem, value string) outcome {
	m.fail(f.line, key, problem, value, nil)
	return failed
}
