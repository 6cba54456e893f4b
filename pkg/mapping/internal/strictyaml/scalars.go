package strictyaml

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/internal/suggest"
)

// Text is a text of at least one character. A number is accepted as it is written, so that
// `app: 2048` and `version: 1.0` need no quotes.
var Text = Kind[string]{
	Schema: Schema{Types: []string{"string", "number"}, Pattern: `\S`},
	Read: func(d *Decoder, n *yaml.Node) (string, bool) {
		if n.Kind == yaml.ScalarNode {
			switch n.ShortTag() {
			case "!!str", "!!int", "!!float", "!!timestamp":
				if strings.TrimSpace(n.Value) == "" {
					d.Problem(n, "the text is empty", "write it, or remove the key")
					return "", Noted
				}
				if !d.Straight(n) {
					return "", Noted
				}
				return n.Value, true
			}
		}
		d.Mistaken(n, "text")
		return "", Noted
	},
}

// curlyQuoted matches a text that a word processor has quoted.
var curlyQuoted = lazyregexp.New(`^[“”„‘’].*[“”‘’]$`)

// Straight records a text whose quotes are curly, and so part of the text.
func (d *Decoder) Straight(n *yaml.Node) bool {
	if n.Style != 0 || !curlyQuoted().MatchString(n.Value) {
		return true
	}
	d.Problem(n, "YAML takes curly quotes as part of the text", `write straight ones: "..."; to send curly ones, put straight ones around them`)
	return Noted
}

// Refine returns a kind of text that is validated and converted. convert's error is a
// Mistake.
func Refine[T any](k Kind[string], convert func(string) (T, error)) Kind[T] {
	return Kind[T]{Schema: k.Schema, Read: func(d *Decoder, n *yaml.Node) (T, bool) {
		var v T
		s, ok := k.Read(d, n)
		if !ok {
			return v, Noted
		}
		v, err := convert(s)
		if err != nil {
			message, hint, _ := strings.Cut(err.Error(), "; ")
			d.Problem(n, message, hint)
		}
		return v, err == nil
	}}
}

// Mistake is an error for Refine: what is wrong and, after "; ", how to fix it.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Described adds a pattern, examples or a default to a kind's schema.
func Described[T any](k Kind[T], change func(*Schema)) Kind[T] {
	change(&k.Schema)
	return k
}

// Plain is literal text. It refuses a template, which would not be run.
var Plain = Refine(Text, func(s string) (string, error) {
	if strings.Contains(s, "{{") {
		return "", Mistake("a template is not allowed here; write the text itself, with a route for each value")
	}
	return s, nil
})

// Separator is text that may be a space.
var Separator = Kind[string]{
	Schema: Schema{Types: []string{"string"}, Pattern: ".", Examples: []any{",", ";"}},
	Read: func(d *Decoder, n *yaml.Node) (string, bool) {
		switch {
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
			d.Mistaken(n, "text")
			return "", Noted
		case n.Value == "":
			d.Problem(n, "the text is empty", `write a separator: ","`)
			return "", Noted
		}
		return n.Value, true
	},
}

// OneOf is one of the words.
func OneOf(words ...string) Kind[string] {
	k := Refine(Text, func(s string) (string, error) {
		if slices.Contains(words, s) {
			return s, nil
		}
		return "", Mistake("unknown value " + Quote(s) + "; " + suggest.Hint(s, words))
	})
	k.Schema = Schema{Types: []string{"string"}, Enum: words}
	return k
}

// Bool is true or false.
var Bool = Kind[bool]{
	Schema: Schema{Types: []string{"boolean"}},
	Read: func(d *Decoder, n *yaml.Node) (bool, bool) {
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
			return strings.EqualFold(n.Value, "true"), true
		}
		d.Mistaken(n, "true or false")
		return false, Noted
	},
}
