package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"fairbridge/pkg/internal/lazyregexp"
)

const (
	maxTemplate  = 32 << 10 // bytes of one template's source
	maxVariables = 64       // that one template may declare
)

// compiled is a checked template. A nil one yields "".
type compiled struct {
	source   string
	tree     *template.Template        // nil: source is the text, without an action
	patterns map[string]*regexp.Regexp // every pattern that it matches with
	fields   []use                     // the event's fields that it reads
}

// use is one place where a template reads a field of the event.
type use struct {
	field  string
	offset int // in the source, in bytes
}

// fault is a mistake in a template: what is wrong with the word at offset.
type fault struct {
	offset, width int // bytes of the source
	message, hint string
}

// compile reads a template, checks everything that can be checked without an
// event, and prepares it to run.
func compile(source string) (*compiled, []fault) {
	t := &compiled{source: source}
	if len(source) > maxTemplate {
		return t, []fault{{message: fmt.Sprintf("the template is longer than %d bytes", maxTemplate)}}
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
		return t, []fault{parseFault(source, err)}
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
		return t, []fault{{message: err.Error()}}
	}
	return t, nil
}

// run executes the template for e's event. Its error says what went wrong, but
// shows nothing of the event.
func (t *compiled) run(e *execution) (string, error) {
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

// reads reports whether the template reads a field of the event.
func (t *compiled) reads(field string) bool {
	if t != nil {
		for _, u := range t.fields {
			if u.field == field {
				return true
			}
		}
	}
	return false
}

// parseMessage takes apart what text/template/parse says: "template: name:3: …".
var parseMessage = lazyregexp.New(`(?s)^template: template:(\d+): (.*)$`)

// quotedWord finds the word that such a message complains about.
var quotedWord = lazyregexp.New(`"((?:[^"\\]|\\.)+)"`)

// parseFault gives a parser's error a place: the parser tells the line, and
// the word it quotes is looked for there.
func parseFault(source string, err error) fault {
	message, start, end := err.Error(), 0, len(source)
	if m := parseMessage().FindStringSubmatch(message); m != nil {
		message = strings.ReplaceAll(m[2], " template:", " line ")
		start, end = lineOf(source, m[1])
	}
	f := fault{offset: start, message: "bad template: " + message}
	line := source[start:end]
	f.width = len(strings.TrimRight(line, "\r\n"))
	if at := openBlock(source); at >= 0 && strings.Contains(message, "unexpected EOF") {
		f.offset, f.width = at, 2
	} else if at := strings.Index(line, "{{"); at >= 0 {
		f.offset, f.width = start+at, 2
	}
	if m := quotedWord().FindStringSubmatch(message); m != nil {
		if word, err := strconv.Unquote(m[0]); err == nil && word != "" {
			if at := strings.Index(line, word); at >= 0 {
				f.offset, f.width = start+at, len(word)
			}
		}
	}
	switch {
	case strings.Contains(message, "unclosed action"), strings.Contains(message, `unexpected "}"`):
		f.hint = "close it with }}"
	case strings.Contains(message, "unexpected EOF"):
		f.hint = "an if, with or range needs its {{ end }}"
	case strings.Contains(message, "undefined variable"):
		f.hint = "a field of the event is written with a dot: .text"
	}
	return f
}

// blockWord finds the actions that open and close a block.
var blockWord = lazyregexp.New(`\{\{-?\s*(if|with|range|define|block|end)\b`)

// openBlock is where the innermost block starts that has no end, or -1.
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

// lineOf returns the bounds of the numbered line of source.
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
