package mapping

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/mapping/internal/strictyaml"
)

// field is one parameter of the request.
type field struct {
	name  string
	value value
	line  int // in the file
}

// value is how to build a parameter's value.
type value struct {
	items []item
	list  bool   // a JSON array of what is not empty
	split string // splits each text into several elements

	choice *choice
	as     string // "number" or "boolean"; "" and "text": a JSON string

	omit      []glob // texts that leave the parameter out, in lower case
	omitEmpty bool
	required  bool
}

// item is a template or a constant.
type item struct {
	template expression // not given for a constant
	constant constant
}

// choice is the set of values that a text must be one of.
type choice struct {
	allowed  []constant
	by       map[string]int // folded spelling or synonym to an index in allowed
	fallback *constant      // nil: none
}

// fold returns the key under which a choice is looked up.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// find returns the allowed value for a text: the exact one, otherwise by its spelling in
// any case, or by a synonym.
func (c *choice) find(s string) (json.RawMessage, bool) {
	s = strings.TrimSpace(s)
	for _, a := range c.allowed {
		if a.text == s {
			return a.json, true
		}
	}
	i, ok := c.by[fold(s)]
	if !ok {
		return nil, false
	}
	return c.allowed[i].json, true
}

// fieldsKind is the kind of a mapping of parameter names to values, in its order.
var fieldsKind = strictyaml.Kind[[]field]{
	Schema: strictyaml.Schema{Types: []string{"object"}, Others: &valueKind.Schema},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (all []field, ok bool) {
		ok = d.Entries(n, "a mapping of parameter names to values", func(keyNode, valueNode *yaml.Node) bool {
			v, good := valueKind.Value(d, valueNode)
			all = append(all, field{name: keyNode.Value, value: v, line: keyNode.Line})
			return good
		})
		return all, ok
	},
}

// itemKind is a template, a number or a boolean.
var itemKind = strictyaml.Kind[item]{
	Schema: strictyaml.Schema{Types: []string{"string", "number", "boolean"}, Examples: expressionKind.Schema.Examples},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (item, bool) {
		if n.Kind == yaml.ScalarNode {
			switch n.ShortTag() {
			case "!!str", "!!timestamp": // a date without quotes is text as well
				t, ok := readExpression(d, n)
				return item{template: t}, ok
			case "!!bool", "!!int", "!!float":
				c, ok := readConstant(d, n)
				return item{constant: c}, ok
			}
		}
		d.Mistaken(n, "a template, a number, or true or false")
		return item{}, noted
	},
}

// itemsKind is one item or a list of them.
var itemsKind = strictyaml.Kind[value]{
	Schema: strictyaml.OneOrMore(itemKind).Schema,
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (value, bool) {
		items, ok := strictyaml.OneOrMore(itemKind).Read(d, n)
		return value{items: items, list: n.Kind == yaml.SequenceNode}, ok
	},
}

// valueKind is an item, a list of items, or the long form.
var valueKind = strictyaml.Kind[value]{
	Schema: strictyaml.Schema{AnyOf: append(slices.Clone(itemsKind.Schema.AnyOf), valueObject.Schema)},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (value, bool) {
		if strictyaml.IsMapping(n) {
			spec, ok := valueObject.Read(d, n)
			return spec.whole(), ok
		}
		return itemsKind.Read(d, n)
	},
}

// valueSpec is the long form of a value as written.
type valueSpec struct {
	value
	plain, chosen *value // what it is made of: exactly one is given
	allowed       []constant
	synonyms      []synonym
	fallback      *constant
}

// synonym is a spelling and the allowed value it stands for.
type synonym struct{ from, to strictyaml.Located[string] }

// whole returns the value with its items.
func (s valueSpec) whole() value {
	v := s.value
	if from := cmp.Or(s.plain, s.chosen); from != nil {
		v.items, v.list = from.items, from.list || s.split != ""
	}
	return v
}

// synonymsKind is the kind of a mapping of spellings to allowed values.
var synonymsKind = strictyaml.Kind[[]synonym]{
	Schema: strictyaml.Schema{Types: []string{"object"}, Others: &strictyaml.Text.Schema},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (all []synonym, ok bool) {
		ok = d.Entries(n, "a mapping of spellings to allowed values", func(keyNode, valueNode *yaml.Node) bool {
			to, good := strictyaml.WithNode(strictyaml.Plain).Value(d, valueNode)
			all = append(all, synonym{strictyaml.Located[string]{Value: keyNode.Value, Node: keyNode}, to})
			return good
		})
		return all, ok
	},
}

// constantKind is a text, number or boolean that is sent literally.
var constantKind = strictyaml.Kind[constant]{
	Schema: strictyaml.Schema{Types: []string{"string", "number", "boolean"}},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (constant, bool) {
		if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) {
			d.Mistaken(n, "text, a number, or true or false")
			return constant{}, noted
		}
		if n.ShortTag() == "!!str" {
			if _, ok := strictyaml.Plain.Read(d, n); !ok {
				return constant{}, noted
			}
		}
		return readConstant(d, n)
	},
}
