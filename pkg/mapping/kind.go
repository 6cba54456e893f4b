package mapping

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// kind is one kind of value in the file: how it is read and how the JSON
// Schema describes it. Both come from the same place so that an editor and
// FairBridge agree.
type kind[T any] struct {
	schema schema
	read   func(d *decoder, n *yaml.Node) (T, bool) // false: a problem was noted
}

// value reads n, which may be an alias.
func (k kind[T]) value(d *decoder, n *yaml.Node) (v T, ok bool) {
	if n, ok = d.follow(n); !ok {
		return v, noted
	}
	return k.read(d, n)
}

// key is one key of a mapping in the file.
type key[T any] struct {
	name     string
	doc      string
	required bool
	schema   schema
	read     func(d *decoder, n *yaml.Node, to *T) bool
}

// into makes a key whose value is stored in a field of T.
func into[T, V any](name, doc string, k kind[V], field func(*T) *V) key[T] {
	s := k.schema
	s.Description = doc
	return key[T]{name: name, doc: doc, schema: s, read: func(d *decoder, n *yaml.Node, to *T) bool {
		v, ok := k.value(d, n)
		*field(to) = v // good or not: after a problem it is used for checks only
		return ok
	}}
}

// must makes the key a required one.
func (k key[T]) must() key[T] {
	k.required = true
	return k
}

// byDefault tells readers of the schema what holds without the key.
func (k key[T]) byDefault(v any) key[T] {
	k.schema.Default = v
	return k
}

// within makes the keys of a part usable in what contains it.
func within[T, P any](keys []key[P], part func(*T) *P) []key[T] {
	all := make([]key[T], len(keys))
	for i, k := range keys {
		all[i] = key[T]{name: k.name, doc: k.doc, required: k.required, schema: k.schema,
			read: func(d *decoder, n *yaml.Node, to *T) bool { return k.read(d, n, part(to)) }}
	}
	return all
}

// object makes the kind of a mapping with the given keys. name, with its
// article, is used in messages. check looks at what concerns several keys; it
// is called only if each of them was right by itself, and may be nil.
func object[T any](name string, keys []key[T], check func(d *decoder, n *yaml.Node, v *T) bool) kind[T] {
	s := schema{Types: []string{"object"}, Closed: true}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
		s.Properties = append(s.Properties, property{k.name, k.schema})
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	return kind[T]{schema: s, read: func(d *decoder, n *yaml.Node) (v T, ok bool) {
		if n.Kind != yaml.MappingNode || isBareTemplate(n) {
			if isNull(n) || isBareTemplate(n) {
				d.mistaken(n, "a mapping")
			} else {
				d.problem(n, name+" must be a mapping, not "+describe(n), "its keys: "+strings.Join(names, ", "))
			}
			return v, noted
		}
		given := map[string]bool{}
		ok = d.entries(n, func(keyNode, valueNode *yaml.Node) bool {
			given[keyNode.Value] = true
			for _, k := range keys {
				if k.name == keyNode.Value {
					return k.read(d, valueNode, &v)
				}
			}
			given[nearest(keyNode.Value, names)] = true // not missing, but misspelt
			d.problem(keyNode, "unknown key "+quote(keyNode.Value)+" in "+name, suggestion(keyNode.Value, names))
			return noted
		})
		for _, k := range keys {
			if k.required && !given[k.name] {
				d.problem(n, name+" needs the key "+quote(k.name), k.doc)
				ok = noted
			}
		}
		if ok && check != nil {
			ok = check(d, n, &v)
		}
		return v, ok
	}}
}

// entries calls read for each entry of a mapping, and notes keys that are no
// text or come twice. It reports whether everything was right.
func (d *decoder) entries(n *yaml.Node, read func(keyNode, valueNode *yaml.Node) bool) bool {
	ok := true
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, followed := d.follow(n.Content[i])
		if !followed {
			return noted
		}
		name := keyNode.Value
		switch {
		case keyNode.ShortTag() == "!!merge":
			d.problem(keyNode, "merge keys (<<) are not read here", "what all routes share belongs in defaults")
			ok = noted
		case keyNode.Kind != yaml.ScalarNode || isNull(keyNode) || name == "":
			d.problem(keyNode, "a key must be a text", "")
			ok = noted
		case lines[name] > 0:
			d.problem(keyNode, "the key "+quote(name)+" comes twice", "it is already in line "+strconv.Itoa(lines[name]))
			ok = noted
		default:
			lines[name] = keyNode.Line
			ok = read(keyNode, n.Content[i+1]) && ok
		}
	}
	return ok
}

// valueOf is the node of a mapping's entry, or the mapping itself.
func valueOf(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return n
}

// listOf makes the kind of a list. It may be empty unless least is more than 0.
func listOf[T any](item kind[T], least int) kind[[]T] {
	return kind[[]T]{
		schema: schema{Types: []string{"array"}, Items: &item.schema, MinItems: least},
		read: func(d *decoder, n *yaml.Node) (list []T, ok bool) {
			if n.Kind != yaml.SequenceNode {
				d.mistaken(n, "a list")
				return nil, noted
			}
			if len(n.Content) < least {
				d.problem(n, "the list is empty", "write an entry, or take the key out")
				return nil, noted
			}
			ok = true
			list = make([]T, 0, len(n.Content))
			for _, element := range n.Content {
				v, good := item.value(d, element)
				list, ok = append(list, v), ok && good
			}
			return list, ok
		},
	}
}

// oneOrMore makes the kind of one value or a list of them.
func oneOrMore[T any](item kind[T]) kind[[]T] {
	list := listOf(item, 1)
	return kind[[]T]{
		schema: schema{AnyOf: []schema{item.schema, list.schema}},
		read: func(d *decoder, n *yaml.Node) ([]T, bool) {
			if n.Kind == yaml.SequenceNode {
				return list.read(d, n)
			}
			v, ok := item.read(d, n)
			return []T{v}, ok
		},
	}
}

// optional makes a kind whose value is a pointer, nil where the key is not given.
func optional[T any](k kind[T]) kind[*T] {
	return kind[*T]{schema: k.schema, read: func(d *decoder, n *yaml.Node) (*T, bool) {
		v, ok := k.read(d, n)
		return &v, ok
	}}
}

// located is a value and its node.
type located[T any] struct {
	value T
	node  *yaml.Node
}

// withNode keeps a value's node for later messages.
func withNode[T any](k kind[T]) kind[located[T]] {
	return kind[located[T]]{schema: k.schema, read: func(d *decoder, n *yaml.Node) (located[T], bool) {
		v, ok := k.read(d, n)
		return located[T]{v, n}, ok
	}}
}

func quote(s string) string {
	if len(s) > 60 {
		s = truncate(s, 40, "…")
	}
	return `"` + strings.ReplaceAll(printable(s), "\t", " ") + `"`
}

// mapOf makes the kind of a mapping from host names to values.
func mapOf[T any](element kind[T]) kind[map[string]T] {
	return kind[map[string]T]{
		schema: schema{Types: []string{"object"}, Values: &element.schema},
		read: func(d *decoder, n *yaml.Node) (map[string]T, bool) {
			if n.Kind != yaml.MappingNode || isBareTemplate(n) {
				d.mistaken(n, "a mapping")
				return nil, noted
			}
			m := map[string]T{}
			ok := d.entries(n, func(keyNode, valueNode *yaml.Node) bool {
				v, good := element.value(d, valueNode)
				m[keyNode.Value] = v
				return good
			})
			return m, ok
		},
	}
}
