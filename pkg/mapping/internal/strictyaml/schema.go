package strictyaml

import (
	"bytes"
	"encoding/json"
	"slices"

	"fairbridge/pkg/internal/plainjson"
)

// Schema is the part of JSON Schema in use.
type Schema struct {
	Description string
	Types       []string
	Enum        []string // the only allowed texts
	Pattern     string   // of a text
	Default     any
	Examples    []any
	Properties  []Property
	Required    []string
	Closed      bool    // no other keys
	Values      *Schema // for keys that are the user's own
	Items       *Schema
	MinItems    int
	AnyOf       []Schema
	Rules       []Keyword // between keys
}

// Keyword is a keyword of JSON Schema.
type Keyword struct {
	Name  string
	Value any
}

// Property is one key and its schema; a list of them keeps the order.
type Property struct {
	Name string
	Schema
}

// Document returns the schema as a file of its own, for editors.
func (s Schema) Document(title string) []byte {
	var o ordered
	o.add("$schema", "http://json-schema.org/draft-07/schema#")
	o.add("title", title)
	s.describe(&o)
	var indented bytes.Buffer
	// It cannot fail: the encoder made every part.
	_ = json.Indent(&indented, o.bytes(), "", "  ")
	indented.WriteByte('\n')
	return indented.Bytes()
}

// describe adds the schema's keywords, the most useful first.
func (s Schema) describe(o *ordered) {
	o.add("description", s.Description)
	if len(s.Types) == 1 {
		o.add("type", s.Types[0])
	} else {
		o.add("type", s.Types)
	}
	o.add("enum", s.Enum)
	o.add("pattern", s.Pattern)
	o.add("default", s.Default)
	o.add("examples", s.Examples)
	if s.Properties != nil {
		var properties ordered
		for _, p := range s.Properties {
			properties.add(p.Name, p.Schema)
		}
		o.add("properties", json.RawMessage(properties.bytes()))
	}
	o.add("required", s.Required)
	if s.Closed {
		o.add("additionalProperties", false)
	} else if s.Values != nil {
		o.add("additionalProperties", *s.Values)
	}
	if s.Items != nil {
		o.add("items", *s.Items)
	}
	if s.MinItems > 0 {
		o.add("minItems", s.MinItems)
	}
	o.add("anyOf", s.AnyOf)
	for _, r := range s.Rules {
		o.add(r.Name, r.Value)
	}
}

// MarshalJSON writes the keywords in describe's order.
func (s Schema) MarshalJSON() ([]byte, error) {
	var o ordered
	s.describe(&o)
	return o.bytes(), nil
}

// ordered is a JSON object that keeps its order.
type ordered struct{ members [][]byte }

// add adds a member unless its value is empty.
func (o *ordered) add(name string, value any) {
	data, err := plainjson.Marshal(value)
	if err != nil || slices.Contains([]string{`""`, "null", "[]"}, string(data)) {
		return
	}
	key, err := plainjson.Marshal(name)
	if err != nil {
		return
	}
	o.members = append(o.members, slices.Concat(key, []byte{':'}, data))
}

func (o *ordered) bytes() []byte {
	return slices.Concat([]byte{'{'}, bytes.Join(o.members, []byte{','}), []byte{'}'})
}
