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

	"fairbridge/pkg/internal/clip"
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
		d.At(second.Line, second.Column, 3, "a second YAML document starts here", "a file has only one document: remove the --- line")
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
				d.At(i+1, column, 1, "a control character", "remove it")
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
	d.At(load.Mark.Line, load.Mark.Column, 1, "not YAML: "+load.Message, d.syntaxHint(load))
}

// syntaxHint returns the likely cause of a syntax error. The parser notices some mistakes
// only lines later.
func (d *Decoder) syntaxHint(load *yaml.LoadError) string {
	line, start := load.Mark.Line, load.ContextMark.Line
	source := d.line(line)
	indent := len(source) - len(strings.TrimLeft(source, " "))
	elsewhere := start > 0 && start != line
	opened := d.openQuote(line, source[:byteOf(source, load.Mark.Column)])
	switch {
	case strings.HasPrefix(source[indent:], "\t"):
		return "indent with spaces, not with a tab"
	case opened > 0:
		return fmt.Sprintf("is the closing quote missing on line %d?", opened)
	case elsewhere && strings.Contains(load.ContextMsg, "flow"):
		return fmt.Sprintf("is the closing bracket missing for the one on line %d?", start)
	case elsewhere && load.Mark.Column == indent+1 && strings.Contains(load.ContextMsg, "collection"):
		return fmt.Sprintf("the entries of the list on line %d begin with -: check the indentation of this line and of that one", start)
	case elsewhere && load.Mark.Column == indent+1:
		return fmt.Sprintf("check the indentation: the keys of a mapping begin in the same column, here that of line %d", start)
	case strings.Contains(source, "{{") && strings.Contains(source, `"`):
		return `put a template that contains " in single quotes, or below a |`
	case strings.Contains(source, "{{"):
		return `put a template in quotes: "{{ .text }}"`
	case strings.Contains(load.Message, "mapping values are not allowed"):
		return "put text that contains a colon in quotes"
	}
	return ""
}

// openQuote returns the line above on which a quoted text begins that ends right before
// the parser's position, as it does if its closing quote is missing; or 0.
func (d *Decoder) openQuote(line int, before string) int {
	before = strings.TrimRight(before, " ")
	if !strings.HasSuffix(before, `"`) && !strings.HasSuffix(before, "'") {
		return 0
	}
	quote := before[len(before)-1:]
	if strings.Count(before, quote)%2 == 0 {
		return 0
	}
	for line--; line > 0; line-- {
		if strings.Count(d.line(line), quote)%2 == 1 {
			return line
		}
	}
	return 0
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
		return "text"
	}
	return "a value of type " + n.ShortTag()
}

// Mistaken records that n is not what was expected.
func (d *Decoder) Mistaken(n *yaml.Node, wanted string) {
	switch {
	case isBareTemplate(n):
		d.Problem(n, "a template without quotes", `YAML reads {{ as a mapping: write "{{ .text }}"`)
	case IsNull(n):
		d.Problem(n, "the value is missing: expected "+wanted+"", "write it, or remove the key")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && wanted == "text":
		d.Problem(n, "must be "+wanted+", not a boolean", "put it in quotes")
	case wanted == "a list" && n.Kind == yaml.ScalarNode && !strings.ContainsAny(n.Value, "[]{}\"'\n"):
		d.Problem(n, "must be a list, not "+describe(n), "write it in brackets: ["+clip.Text(n.Value, 60, "…")+"]")
	default:
		d.Problem(n, "must be "+wanted+", not "+describe(n), "")
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
