package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
)

// schema is the part of JSON Schema that the file needs.
type schema struct {
	Description string
	Types       []string
	Enum        []string // the only texts
	Pattern     string   // of a text
	Default     any
	Examples    []any
	Properties  []property
	Required    []string
	Closed      bool    // no other keys
	Values      *schema // of keys that are the user's own
	Items       *schema
	MinItems    int
	AnyOf       []schema
	Rules       []keyword // between keys
}

// keyword is one of JSON Schema's own.
type keyword struct {
	name  string
	value any
}

// property is one key and its schema; a list of them keeps the order.
type property struct {
	name string
	schema
}

// Schema returns the JSON Schema of the mapping file, for editors: which keys
// there are, what they mean, and what they may hold. Parse refuses more, such as
// a bad template. The repository's fairbridge.schema.json is a copy.
func Schema() []byte {
	top := topKind.schema
	top.Description = "What becomes of each TestFairy event: fairbridge.yaml of FairBridge."
	var o ordered
	o.add("$schema", "http://json-schema.org/draft-07/schema#")
	o.add("title", "fairbridge.yaml")
	top.describe(&o)
	var indented bytes.Buffer
	// It cannot fail: the encoder made every part.
	_ = json.Indent(&indented, o.bytes(), "", "  ")
	indented.WriteByte('\n')
	return indented.Bytes()
}

// describe adds the schema's keywords, those first that a reader wants first.
func (s schema) describe(o *ordered) {
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
			properties.add(p.name, p.schema)
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
		o.add(r.name, r.value)
	}
}

// MarshalJSON writes the keywords in describe's order.
func (s schema) MarshalJSON() ([]byte, error) {
	var o ordered
	s.describe(&o)
	return o.bytes(), nil
}

// ordered is a JSON object that keeps its order.
type ordered struct{ members [][]byte }

// add adds a member unless its value is nothing to speak of.
func (o *ordered) add(name string, value any) {
	data, err := encode(value)
	if err != nil || slices.Contains([]string{`""`, "null", "[]"}, string(data)) {
		return
	}
	key, err := encode(name)
	if err != nil {
		return
	}
	o.members = append(o.members, slices.Concat(key, []byte{':'}, data))
}

func (o *ordered) bytes() []byte {
	return slices.Concat([]byte{'{'}, bytes.Join(o.members, []byte{','}), []byte{'}'})
}
