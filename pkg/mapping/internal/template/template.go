// Package template compiles and runs the templates of the mapping file: Go's text/template
// with a small set of functions of its own, none of which reads the environment, a file,
// the network or the clock.
//
// The work of a template is counted in steps, and a template that takes too many fails.
// Templates are written by the operator and trusted, but their input is not: whoever has
// the webhook's URL decides how long a text is and how many elements a list has, so a range
// within a range over a list of 300,000 elements would never end. text/template cannot be
// interrupted, so such an event would take the worker down at each attempt, and block the
// embedded home for ever.
package template

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"fairbridge/pkg/internal/lazyregexp"
)

const (
	maxTemplate  = 32 << 10 // of one template's source, in bytes
	maxVariables = 64       // in one template
)

// Template is a valid template. A nil one produces "". It is safe for concurrent use.
type Template struct {
	source   string
	tree     *template.Template        // nil if source is plain text, without an action
	patterns map[string]*regexp.Regexp // every pattern that it uses
	fields   []Use                     // the event's fields that it reads
}

// Use is one place where a template reads a field of the event.
type Use struct {
	Field  string
	Offset int // in the source, in bytes
}

// Fault is a mistake in a template: what is wrong with the word at Offset.
type Fault struct {
	Offset, Width int // bytes of the source
	Message       string
	Hint          string // how to fix it; may be empty
}

// Text returns a template without actions, which produces s.
func Text(s string) *Template { return &Template{source: s} }

// Compile compiles a template and checks everything that can be checked without an event.
// It returns every fault that it can find.
func Compile(source string) (*Template, []Fault) {
	t := &Template{source: source}
	if len(source) > maxTemplate {
		return t, []Fault{{Message: fmt.Sprintf("the template is longer than %d bytes", maxTemplate)}}
	}
	if !strings.Contains(source, "{{") {
		t.source = strings.ToValidUTF8(source, "\uFFFD")
		return t, nil
	}
	tree := parse.New("template")
	// Functions are checked by the compiler below: all at once, with their place.
	tree.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	if _, err := tree.Parse(source, "", "", set); err != nil {
		return t, []Fault{parseFault(source, err)}
	}
	c := &compiler{template: t, tree: tree}
	for name := range set {
		if name != tree.Name {
			c.fault(0, len(source), "a template may not define others ("+name+")", "write the text where it is needed")
		}
	}
	c.list(tree.Root)
	if c.variables > maxVariables {
		c.fault(0, len(source), fmt.Sprintf("the template declares more than %d variables", maxVariables), "")
	}
	if len(c.faults) > 0 {
		return t, c.faults
	}
	var err error
	t.tree, err = callable().New(tree.Name).AddParseTree(tree.Name, tree)
	if err != nil {
		return t, []Fault{{Message: err.Error()}}
	}
	return t, nil
}

// Outline returns what the template produces if every condition holds, with "1" in place of
// each value. It does not run the template: a program that only parses mapping files then
// does not link text/template's reflection, with which the linker keeps every exported
// method. That is a fifth of ingest's package.
func (t *Template) Outline() string {
	if t.tree == nil {
		return t.source
	}
	var b strings.Builder
	var write func(*parse.ListNode)
	write = func(list *parse.ListNode) {
		for _, n := range list.Nodes {
			switch n := n.(type) {
			case *parse.TextNode:
				b.Write(n.Text)
			case *parse.ActionNode:
				if len(n.Pipe.Decl) == 0 {
					b.WriteByte('1')
				}
			case *parse.IfNode:
				write(n.List)
			case *parse.WithNode:
				write(n.List)
			case *parse.RangeNode:
				write(n.List)
			}
		}
	}
	write(t.tree.Root)
	return b.String()
}

// Run executes the template for e's event. Its error contains nothing of the event.
func (t *Template) Run(e *Execution) (string, error) {
	switch {
	case t == nil:
		return "", nil
	case t.tree == nil:
		return t.source, nil
	}
	e.patterns = t.patterns
	out := limited{e: e}
	if err := t.tree.Execute(&out, e); err != nil {
		var call *callError
		if errors.As(err, &call) {
			return "", call
		}
		return "", err
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD"), nil
}

// Source returns the template's text.
func (t *Template) Source() string {
	if t == nil {
		return ""
	}
	return t.source
}

// Fields returns the places where the template reads a field of the event.
func (t *Template) Fields() []Use {
	if t == nil {
		return nil
	}
	return t.fields
}

// Reads reports whether the template reads a field of the event.
func (t *Template) Reads(field string) bool {
	return slices.ContainsFunc(t.Fields(), func(u Use) bool { return u.Field == field })
}

// parseMessage splits the messages of text/template/parse: "template: name:3: …".
var parseMessage = lazyregexp.New(`(?s)^template: template:(\d+): (.*)$`)

// quotedWord finds the word that such a message complains about.
var quotedWord = lazyregexp.New(`"((?:[^"\\]|\\.)+)"`)

// parseFault finds the position of a parser's error, from the line and the word that the
// message quotes.
func parseFault(source string, err error) Fault {
	message, start, end := err.Error(), 0, len(source)
	if m := parseMessage().FindStringSubmatch(message); m != nil {
		message = strings.ReplaceAll(m[2], " template:", " line ")
		start, end = lineOf(source, m[1])
	}
	f := Fault{Offset: start, Message: "bad template: " + message}
	line := source[start:end]
	f.Width = len(strings.TrimRight(line, "\r\n"))
	if at := openBlock(source); at >= 0 && strings.Contains(message, "unexpected EOF") {
		f.Offset, f.Width = at, 2
	} else if at := strings.Index(line, "{{"); at >= 0 {
		f.Offset, f.Width = start+at, 2
	}
	if m := quotedWord().FindStringSubmatch(message); m != nil {
		if word, err := strconv.Unquote(m[0]); err == nil && word != "" {
			if at := strings.Index(line, word); at >= 0 {
				f.Offset, f.Width = start+at, len(word)
			}
		}
	}
	switch {
	case strings.Contains(message, "unclosed action"), strings.Contains(message, `unexpected "}"`):
		f.Hint = "close it with }}"
	case strings.Contains(message, "unexpected EOF"):
		f.Hint = "an if, with or range needs its {{ end }}"
	case strings.Contains(message, "undefined variable"):
		f.Hint = "a field of the event is written with a dot: .text"
	case strings.Contains(message, "unrecognized character") && strings.ContainsAny(message, "“”„‘’"):
		f.Hint = `write straight quotes: "..."`
	}
	return f
}

// blockWord finds the actions that open and close a block.
var blockWord = lazyregexp.New(`\{\{-?\s*(if|with|range|define|block|end)\b`)

// openBlock returns where the innermost block without an end starts, or -1.
func openBlock(source string) int {
	var open []int
	for _, m := range blockWord().FindAllStringSubmatchIndex(source, -1) {
		if source[m[2]:m[3]] != "end" {
			open = append(open, m[0])
		} else if len(open) > 0 {
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

// lineOf returns the bounds of the line of source with that number.
func lineOf(source, number string) (start, end int) {
	n, _ := strconv.Atoi(number)
	for ; n > 1; n-- {
		next := strings.IndexByte(source[start:], '\n')
		if next < 0 {
			break
		}
		start += next + 1
	}
	if next := strings.IndexByte(source[start:], '\n'); next >= 0 {
		return start, start + next
	}
	return start, len(source)
}
