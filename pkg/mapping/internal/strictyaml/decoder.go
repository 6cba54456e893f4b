// Package strictyaml reads YAML strictly and explains what it refuses. A file's format is a
// table of kinds and keys, from which both its decoder and its JSON Schema are made. Each
// mistake is a Problem with its position in the file and a way to fix it; one pass finds
// all of them.
//
// Reading is bounded by the size of the file, and by how often aliases repeat its nodes.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// MaxFile is the maximum size of a file in bytes.
const MaxFile = 512 << 10

// maxNodes is how many nodes are visited, however often aliases repeat them.
const maxNodes = 50_000

// Decoder reads the nodes of one file and collects its problems.
type Decoder struct {
	File      string // the file's name in messages
	EmptyHint string // what to do about an empty file

	lines    []string
	problems Problems
	nodes    int
}

// Problems returns what was wrong, in the file's order, or nil.
func (d *Decoder) Problems() Problems { return d.problems.Sorted() }

// Noted is the ok result for a value whose problem has been recorded.
const Noted = false

// Problem records a problem of node n.
func (d *Decoder) Problem(n *yaml.Node, message, hint string) {
	d.At(n.Line, n.Column, d.width(n), message, hint)
}

// At records a problem of width characters at a position in the file.
func (d *Decoder) At(line, column, width int, message, hint string) {
	if len(d.problems) >= MaxProblems {
		return
	}
	p := d.Place(line, column, width)
	p.Message, p.Hint = message, hint
	d.problems = append(d.problems, p)
}

// Place returns a problem with only its position set.
func (d *Decoder) Place(line, column, width int) Problem {
	line = max(line, 1)
	return Problem{File: d.File, Line: line, Column: max(column, 1), Width: max(width, 1), Source: d.line(line)}
}

// line returns the line of the file with that number, or "".
func (d *Decoder) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// width returns how many characters of its first line the node takes.
func (d *Decoder) width(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode {
		return 1
	}
	width := utf8.RuneCountInString(n.Value)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 1
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		width += 2
	case n.Kind == yaml.AliasNode:
		width++
	}
	return max(1, min(width, utf8.RuneCountInString(d.line(n.Line))-n.Column+1))
}

// Document parses the file and returns the root of its one document, or records why it
// cannot.
func (d *Decoder) Document(data []byte) (*yaml.Node, bool) {
	if len(data) > MaxFile {
		d.At(1, 1, 1, fmt.Sprintf("the file is larger than %d bytes", MaxFile), "")
		return nil, Noted
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	for line := range strings.SplitSeq(string(data), "\n") {
		d.lines = append(d.lines, strings.TrimSuffix(line, "\r"))
	}
	if !d.readable() {
		return nil, Noted
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		d.syntax(err)
		return nil, Noted
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) || err == nil && IsNull(doc.Content[0]) {
		d.At(1, 1, 1, "the file is empty", d.EmptyHint)
		return nil, Noted
	} else if err != nil {
		d.syntax(err)
		return nil, Noted
	}
	switch err := loader.Load(&second); {
	case err == nil:
		d.At(second.Line, second.Column, 3, "a second YAML document starts here", "the file is one document: take out the --- line")
		return nil, Noted
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil, Noted
	}
	return doc.Content[0], true
}

// readable records the first byte that is not UTF-8 or not text. YAML would refuse it as
// well, but without a position.
func (d *Decoder) readable() bool {
	for i, line := range d.lines {
		column := 1
		for rest := line; rest != ""; column++ {
			r, size := utf8.DecodeRuneInString(rest)
			switch {
			case r == utf8.RuneError && size == 1:
				d.At(i+1, column, 1, "this is not UTF-8", "save the file as UTF-8")
				return false
			case r < ' ' && r != '\t' && r != '\r' || r == 0x7f:
				d.At(i+1, column, 1, "a control character", "take it out")
				return false
			}
			rest = rest[size:]
		}
	}
	return true
}

// syntax records what the YAML parser could not read.
func (d *Decoder) syntax(err error) {
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		d.At(1, 1, 1, "not YAML: "+err.Error(), "")
		return
	}
	line, column := load.Mark.Line, load.Mark.Column
	message, hint := "not YAML: "+load.Message, ""
	source := d.line(line)
	switch {
	case strings.HasPrefix(strings.TrimLeft(source, " "), "\t"):
		hint = "indent with spaces, not with a tab"
	case strings.Contains(source, "{{") && strings.Contains(source, `"`):
		hint = `a template with " in it goes into '...' or below a |`
	case strings.Contains(source, "{{"):
		hint = `a template goes into quotes: "{{ .text }}"`
	case strings.Contains(load.Message, "mapping values are not allowed"):
		hint = "a text with a colon in it goes into quotes"
	case load.ContextMsg != "" && load.ContextMark.Line != line && load.ContextMark.Line > 0:
		hint = fmt.Sprintf("%s, which starts in line %d", load.ContextMsg, load.ContextMark.Line)
	}
	d.At(line, column, 1, message, hint)
}

// follow resolves aliases. It counts every visit, so that aliases of aliases cannot grow
// without bound. An alias inside its own anchor does no harm, since the file's structure is
// only a few levels deep.
func (d *Decoder) follow(n *yaml.Node) (*yaml.Node, bool) {
	if d.nodes++; d.nodes >= maxNodes {
		if d.nodes == maxNodes {
			d.Problem(n, "the file repeats too much through aliases (*name)", "write the values out, or use defaults")
		}
		return n, Noted
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n, true
}

// IsNull reports whether n is YAML's null, or nothing.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe names a node's kind for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!str":
		return "a text"
	}
	return "a value of type " + n.ShortTag()
}

// Mistaken records that n is not what was expected.
func (d *Decoder) Mistaken(n *yaml.Node, wanted string) {
	switch {
	case isBareTemplate(n):
		d.Problem(n, "a template without quotes", `YAML takes {{ for its own: write "{{ .text }}"`)
	case IsNull(n):
		d.Problem(n, "the value is missing: "+wanted+" belongs here", "write it, or take the key out")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && wanted == "a text":
		d.Problem(n, "wants "+wanted+", not a boolean", "put it in quotes")
	default:
		d.Problem(n, "wants "+wanted+", not "+describe(n), "")
	}
}

// IsMapping reports whether n is a mapping, and not what YAML makes of a template without
// quotes.
func IsMapping(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && !isBareTemplate(n)
}

// isBareTemplate recognises what YAML makes of {{ .text }}: a mapping whose only key is a
// mapping.
func isBareTemplate(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2 &&
		n.Content[0].Kind == yaml.MappingNode && n.Content[0].Style&yaml.FlowStyle != 0
}
