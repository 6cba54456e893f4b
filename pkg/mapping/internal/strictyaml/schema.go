package strictyaml

import (
	"bytes"
	"encoding/json"
	"slices"

	"fairbridge/pkg/internal/plainjson"
)

// Schema is the part of JSON Schema in use. Its fields are in the order in which they are
// written, the most useful first.
type Schema struct {
	Description string     `json:"description,omitempty"`
	Types       Types      `json:"type,omitempty"`
	Enum        []string   `json:"enum,omitempty"`    // the only allowed texts
	Pattern     string     `json:"pattern,omitempty"` // of a text
	Default     any        `json:"default,omitempty"`
	Examples    []any      `json:"examples,omitempty"`
	Properties  Properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	// Others is false if there may be no other keys, or the *Schema of keys that are the
	// user's own.
	Others   any      `json:"additionalProperties,omitempty"`
	Items    *Schema  `json:"items,omitempty"`
	MinItems int      `json:"minItems,omitempty"`
	AnyOf    []Schema `json:"anyOf,omitempty"`

	// The rest are rules between keys.
	OneOf        []Schema            `json:"oneOf,omitempty"`
	Dependencies map[string][]string `json:"dependencies,omitempty"`
	Not          any                 `json:"not,omitempty"`
	If           any                 `json:"if,omitempty"`
	Then         any                 `json:"then,omitempty"`
	Else         any                 `json:"else,omitempty"`
}

// Types are the allowed types of a value. A single one is written as such.
type Types []string

// MarshalJSON implements [json.Marshaler].
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return plainjson.Marshal(t[0])
	}
	return plainjson.Marshal([]string(t))
}

// Properties are the keys of an object, in the order in which they are written.
type Properties []Property

// Property is one key and its schema.
type Property struct {
	Name string
	Schema
}

// MarshalJSON implements [json.Marshaler].
func (ps Properties) MarshalJSON() ([]byte, error) {
	var members [][]byte
	for _, p := range ps {
		schema, err := plainjson.Marshal(map[string]Schema{p.Name: p.Schema})
		if err != nil {
			return nil, err
		}
		members = append(members, schema[1:len(schema)-1])
	}
	return slices.Concat([]byte{'{'}, bytes.Join(members, []byte{','}), []byte{'}'}), nil
}

// Document returns the schema as a file of its own, for editors.
func (s Schema) Document(title string) []byte {
	// It cannot fail: a schema consists of texts, numbers and lists.
	text, _ := plainjson.Marshal(struct {
		Draft string `json:"$schema"`
		Title string `json:"title"`
		Schema
	}{"http://json-schema.org/draft-07/schema#", title, s})
	var indented bytes.Buffer
	_ = json.Indent(&indented, text, "", "  ")
	indented.WriteByte('\n')
	return indented.Bytes()
}
