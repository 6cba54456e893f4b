package strictyaml

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/suggest"
)

// Kind is one kind of value in a file: how to read it, and its JSON Schema. Both are
// defined together so that an editor and the decoder agree.
type Kind[T any] struct {
	Schema Schema
	// Read reads a node that is not an alias. It returns Noted after recording a problem.
	Read func(d *Decoder, n *yaml.Node) (T, bool)
}

// Value reads n, which may be an alias.
func (k Kind[T]) Value(d *Decoder, n *yaml.Node) (v T, ok bool) {
	if n, ok = d.follow(n); !ok {
		return v, Noted
	}
	return k.Read(d, n)
}

// Key is one key of a mapping whose entries are stored in a T.
type Key[T any] struct {
	name     string
	doc      string
	required bool
	schema   Schema
	read     func(d *Decoder, n *yaml.Node, to *T) bool
}

// Into returns the key name, whose value is stored in a field of T. doc describes it in the
// schema and in messages.
func Into[T, V any](name, doc string, k Kind[V], field func(*T) *V) Key[T] {
	s := k.Schema
	s.Description = doc
	return Key[T]{name: name, doc: doc, schema: s, read: func(d *Decoder, n *yaml.Node, to *T) bool {
		v, ok := k.Value(d, n)
		*field(to) = v // after a problem it is used for checks only
		return ok
	}}
}

// Must makes the key required.
func (k Key[T]) Must() Key[T] {
	k.required = true
	return k
}

// ByDefault documents the default in the schema.
func (k Key[T]) ByDefault(v any) Key[T] {
	k.schema.Default = v
	return k
}

// Within makes the keys of a part usable in the value that contains it.
func Within[T, P any](keys []Key[P], part func(*T) *P) []Key[T] {
	all := make([]Key[T], len(keys))
	for i, k := range keys {
		all[i] = Key[T]{name: k.name, doc: k.doc, required: k.required, schema: k.schema,
			read: func(d *Decoder, n *yaml.Node, to *T) bool { return k.read(d, n, part(to)) }}
	}
	return all
}

// Object returns the kind of a mapping with the given keys. name, with its article, is used
// in messages. check validates several keys together; it is called only if each of them is
// valid, and may be nil.
func Object[T any](name string, keys []Key[T], check func(d *Decoder, n *yaml.Node, v *T) bool) Kind[T] {
	s := Schema{Types: []string{"object"}, Others: false}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
		s.Properties = append(s.Properties, Property{k.name, k.schema})
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	return Kind[T]{Schema: s, Read: func(d *Decoder, n *yaml.Node) (v T, ok bool) {
		if !IsMapping(n) {
			if IsNull(n) || isBareTemplate(n) {
				d.Mistaken(n, "a mapping")
			} else {
				d.Problem(n, name+" must be a mapping, not "+describe(n), "its keys: "+strings.Join(names, ", "))
			}
			return v, Noted
		}
		given := map[string]bool{}
		read := func(key string, valueNode *yaml.Node) bool {
			i := slices.Index(names, key)
			given[key] = true
			return i >= 0 && keys[i].read(d, valueNode, &v)
		}
		ok = d.Entries(n, "a mapping", func(keyNode, valueNode *yaml.Node) bool {
			if slices.Contains(names, keyNode.Value) {
				return read(keyNode.Value, valueNode)
			}
			d.Problem(keyNode, "unknown key "+Quote(keyNode.Value)+" in "+name, suggest.Hint(keyNode.Value, names))
			// A misspelt key is not reported as missing as well, nor what depends on it.
			if meant := suggest.Nearest(keyNode.Value, names); meant != "" && ValueOf(n, meant) == n {
				read(meant, valueNode)
			}
			return Noted
		})
		for _, k := range keys {
			if k.required && !given[k.name] {
				d.Problem(n, name+" needs the key "+Quote(k.name), k.doc)
				ok = Noted
			}
		}
		if ok && check != nil {
			ok = check(d, n, &v)
		}
		return v, ok
	}}
}

// Entries calls read for each entry of a mapping, and records keys that are not text or are
// duplicates, and a node that is not wanted, a mapping. It reports whether everything was
// valid.
func (d *Decoder) Entries(n *yaml.Node, wanted string, read func(keyNode, valueNode *yaml.Node) bool) bool {
	if !IsMapping(n) {
		d.Mistaken(n, wanted)
		return Noted
	}
	ok := true
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, followed := d.follow(n.Content[i])
		if !followed {
			return Noted
		}
		name := keyNode.Value
		switch {
		case keyNode.ShortTag() == "!!merge":
			d.Problem(keyNode, "merge keys (<<) are not supported", "put what routes share in defaults")
			ok = Noted
		case keyNode.Kind != yaml.ScalarNode || IsNull(keyNode) || name == "":
			d.Problem(keyNode, "a key must be text", "")
			ok = Noted
		case lines[name] > 0:
			d.Problem(keyNode, "the key "+Quote(name)+" is written twice", "the first one is on line "+strconv.Itoa(lines[name]))
			ok = Noted
		default:
			lines[name] = keyNode.Line
			ok = read(keyNode, n.Content[i+1]) && ok
		}
	}
	return ok
}

// ValueOf returns the node of a mapping's entry, or the mapping itself.
func ValueOf(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return n
}

// ListOf returns the kind of a list with at least that many items.
func ListOf[T any](item Kind[T], least int) Kind[[]T] {
	return Kind[[]T]{
		Schema: Schema{Types: []string{"array"}, Items: &item.Schema, MinItems: least},
		Read: func(d *Decoder, n *yaml.Node) (list []T, ok bool) {
			if n.Kind != yaml.SequenceNode {
				d.Mistaken(n, "a list")
				return nil, Noted
			}
			if len(n.Content) < least {
				d.Problem(n, "the list is empty", "write an entry, or remove the key")
				return nil, Noted
			}
			ok = true
			list = make([]T, 0, len(n.Content))
			for _, element := range n.Content {
				v, good := item.Value(d, element)
				list, ok = append(list, v), ok && good
			}
			return list, ok
		},
	}
}

// OneOrMore returns the kind of one value or a list of them.
func OneOrMore[T any](item Kind[T]) Kind[[]T] {
	list := ListOf(item, 1)
	return Kind[[]T]{
		Schema: Schema{AnyOf: []Schema{item.Schema, list.Schema}},
		Read: func(d *Decoder, n *yaml.Node) ([]T, bool) {
			if n.Kind == yaml.SequenceNode {
				return list.Read(d, n)
			}
			v, ok := item.Read(d, n)
			return []T{v}, ok
		},
	}
}

// Optional returns a kind whose value is a pointer, nil without the key.
func Optional[T any](k Kind[T]) Kind[*T] {
	return Kind[*T]{Schema: k.Schema, Read: func(d *Decoder, n *yaml.Node) (*T, bool) {
		v, ok := k.Read(d, n)
		return &v, ok
	}}
}

// Located is a value and its node.
type Located[T any] struct {
	Value T
	Node  *yaml.Node
}

// WithNode keeps a value's node for later messages.
func WithNode[T any](k Kind[T]) Kind[Located[T]] {
	return Kind[Located[T]]{Schema: k.Schema, Read: func(d *Decoder, n *yaml.Node) (Located[T], bool) {
		v, ok := k.Read(d, n)
		return Located[T]{v, n}, ok
	}}
}

// Quote quotes a word of the file for a message: shortened, and without characters that a
// terminal acts on.
func Quote(s string) string {
	if len(s) > 60 {
		s = clip.Text(s, 40, "…")
	}
	return `"` + strings.ReplaceAll(shown(s), "\t", " ") + `"`
}

// MapOf returns the kind of a mapping whose keys are the user's own.
func MapOf[T any](element Kind[T]) Kind[map[string]T] {
	return Kind[map[string]T]{
		Schema: Schema{Types: []string{"object"}, Others: &element.Schema},
		Read: func(d *Decoder, n *yaml.Node) (map[string]T, bool) {
			m := map[string]T{}
			ok := d.Entries(n, "a mapping", func(keyNode, valueNode *yaml.Node) bool {
				v, good := element.Value(d, valueNode)
				m[keyNode.Value] = v
				return good
			})
			return m, ok
		},
	}
}
