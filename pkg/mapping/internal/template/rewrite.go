package template

import (
	"fmt"
	"regexp"
	"strings"
	"text/template/parse"

	"fairbridge/pkg/internal/suggest"
)

// compiler walks a parse tree, collects its faults, and rewrites it:
//
//   - `.a.b`, `$x.a` and `(f .x).a` become calls of field, one for each name, so that what
//     is missing or null is "" instead of "<no value>", and no Go method or field is ever
//     within reach; a dot or a variable alone becomes a call of value, for the same reason;
//   - every function gets $, the execution, as its first argument;
//   - what an action prints goes through text, what a range goes through comes
//     from each.
type compiler struct {
	template  *Template
	tree      *parse.Tree
	faults    []Fault
	variables int
	depth     int // of the withs and ranges around
}

func (c *compiler) fault(offset, width int, message, hint string) {
	c.faults = append(c.faults, Fault{offset, width, message, hint})
}

func (c *compiler) faultAt(n parse.Node, message, hint string) {
	c.fault(int(n.Position()), len(n.String()), message, hint)
}

// list rewrites a list of nodes and returns how many it contains at any depth: the weight
// of one iteration of a range around it.
func (c *compiler) list(l *parse.ListNode) int {
	if l == nil {
		return 0
	}
	weight := 0
	for _, n := range l.Nodes {
		weight++
		switch n := n.(type) {
		case *parse.ActionNode:
			weight += c.pipe(n.Pipe)
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, c.call(n.Pos, nameText))
			}
		case *parse.IfNode:
			weight += c.pipe(n.Pipe) + c.list(n.List) + c.list(n.ElseList)
		case *parse.WithNode:
			weight += c.pipe(n.Pipe) + c.inside(n.List) + c.list(n.ElseList)
		case *parse.RangeNode:
			weight += c.pipe(n.Pipe)
			turn := 1 + c.inside(n.List)
			weight += turn + c.list(n.ElseList)
			n.Pipe.Cmds = append(n.Pipe.Cmds, c.call(n.Pos, nameEach, c.number(n.Pos, turn)))
		case *parse.TemplateNode:
			c.faultAt(n, "a template may not call another", "write the text where it is needed")
		}
	}
	return weight
}

// inside rewrites a list in which the dot is not the event.
func (c *compiler) inside(l *parse.ListNode) int {
	c.depth++
	defer func() { c.depth-- }()
	return c.list(l)
}

// pipe rewrites a pipeline and returns its weight.
func (c *compiler) pipe(p *parse.PipeNode) int {
	weight := 0
	c.variables += len(p.Decl)
	for i, cmd := range p.Cmds {
		weight += c.command(cmd, i > 0)
	}
	return weight
}

// command rewrites one command of a pipeline. piped means that it receives the previous
// command's result as its last argument.
func (c *compiler) command(cmd *parse.CommandNode, piped bool) int {
	weight := 1
	name, isCall := cmd.Args[0].(*parse.IdentifierNode)
	if !isCall {
		if len(cmd.Args) > 1 || piped {
			c.faultAt(cmd.Args[0], cmd.Args[0].String()+" is not a function",
				"a function comes first, its arguments after it: {{ .text | truncate 80 }}")
			return weight
		}
		if _, isNil := cmd.Args[0].(*parse.NilNode); isNil {
			c.faultAt(cmd.Args[0], "nil is not a value that can be written out", `nothing is ""`)
			return weight
		}
		weight += c.argument(cmd, 0)
		return weight
	}
	f, known := functions[name.Ident]
	if !known {
		c.unknown(name)
		return weight
	}
	count := len(cmd.Args) - 1
	if piped {
		count++
	}
	switch {
	case count < f.min || f.max >= 0 && count > f.max:
		c.faultAt(name, fmt.Sprintf("%s takes %s, not %d", name.Ident, f.takes(), count), "write it as: "+f.usage)
	default:
		c.literals(f, cmd.Args[1:], count)
	}
	if name.Ident == "index" && len(cmd.Args) > 2 {
		c.indexed(cmd.Args[1], cmd.Args[2])
	}
	for i := 1; i < len(cmd.Args); i++ {
		weight += c.argument(cmd, i)
	}
	if !f.builtin {
		hidden := c.call(name.Pos, name.Ident)
		cmd.Args = append(hidden.Args, cmd.Args[1:]...)
	}
	return weight
}

// argument rewrites cmd.Args[i].
func (c *compiler) argument(cmd *parse.CommandNode, i int) int {
	pos := cmd.Args[i].Position()
	replace := func(call *parse.CommandNode) {
		cmd.Args[i] = &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{call}}
	}
	access := func(value parse.Node, path []string) {
		if len(path) == 0 {
			replace(c.call(pos, nameValue, value))
			return
		}
		for _, name := range path {
			replace(c.call(pos, nameField, value, c.text(pos, name)))
			value = cmd.Args[i]
		}
	}
	switch n := cmd.Args[i].(type) {
	case *parse.DotNode:
		access(n, nil)
	case *parse.FieldNode:
		if c.depth == 0 {
			c.use(n.Ident[0], n)
		}
		access(&parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident)
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			c.use(n.Ident[1], n)
		}
		access(c.variable(n.Pos, n.Ident[0]), n.Ident[1:])
	case *parse.ChainNode:
		inner := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{n.Node}}
		weight := c.argument(inner, 0)
		access(inner.Args[0], n.Field)
		return 1 + weight
	case *parse.PipeNode:
		return 1 + c.pipe(n)
	case *parse.IdentifierNode:
		c.faultAt(n, n.Ident+" is a function and cannot be an argument without a call", "put the call in parentheses: ("+n.Ident+" .text)")
	}
	return 1
}

// use records that the template reads a field of the event.
func (c *compiler) use(field string, at parse.Node) {
	offset := int(at.Position())
	if dot := strings.LastIndexByte(c.template.source[:min(offset+1, len(c.template.source))], '.'); dot >= 0 {
		offset = dot
	}
	c.template.fields = append(c.template.fields, Use{field, offset})
}

// indexed records a field that is read with index, because its name contains a space.
func (c *compiler) indexed(from, key parse.Node) {
	dot, v := from.Type() == parse.NodeDot, from.String()
	if name, ok := key.(*parse.StringNode); ok && (dot && c.depth == 0 || v == "$") {
		c.template.fields = append(c.template.fields, Use{name.Text, int(key.Position())})
	}
}

// literals checks arguments that have to be literals, or are: an invalid pattern or time
// zone is better found now than by a tester's feedback.
func (c *compiler) literals(f function, args []parse.Node, count int) {
	for i, check := range f.literals {
		if check == nil || i >= len(args) || i == count-1 {
			continue // missing, or the value that the function works on
		}
		var literal string
		switch arg := args[i].(type) {
		case *parse.StringNode:
			literal = arg.Text
		case *parse.NumberNode:
			literal = arg.Text
		default:
			if f.constant {
				c.faultAt(args[i], "the pattern must be written out in quotes", "write it as: "+f.usage)
			}
			continue
		}
		if err := check(literal); err != nil {
			name, _, _ := strings.Cut(f.usage, " ")
			c.faultAt(args[i], name+" "+err.Error(), "write it as: "+f.usage)
			continue
		}
		if f.constant {
			c.pattern(literal)
		}
	}
}

func (c *compiler) pattern(source string) {
	if c.template.patterns == nil {
		c.template.patterns = map[string]*regexp.Regexp{}
	}
	c.template.patterns[source] = regexp.MustCompile(source)
}

// unknown reports an unknown function, and suggests the nearest one.
func (c *compiler) unknown(name *parse.IdentifierNode) {
	hint := refused[name.Ident]
	if hint == "" {
		hint = suggest.Hint(name.Ident, functionNames())
	}
	if hint == "" {
		hint = "a field of the event is written with a dot: ." + name.Ident + "; docs/mapping.md lists the functions"
	}
	c.faultAt(name, `unknown function "`+name.Ident+`"`, hint)
}

// call returns the command `name $ args...`.
func (c *compiler) call(pos parse.Pos, name string, args ...parse.Node) *parse.CommandNode {
	ident := parse.NewIdentifier(name).SetPos(pos).SetTree(c.tree)
	return &parse.CommandNode{
		NodeType: parse.NodeCommand,
		Pos:      pos,
		Args:     append([]parse.Node{ident, c.variable(pos, "$")}, args...),
	}
}

func (c *compiler) variable(pos parse.Pos, name string) *parse.VariableNode {
	return &parse.VariableNode{NodeType: parse.NodeVariable, Pos: pos, Ident: []string{name}}
}

func (c *compiler) text(pos parse.Pos, s string) *parse.StringNode {
	return &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: fmt.Sprintf("%q", s), Text: s}
}

func (c *compiler) number(pos parse.Pos, n int) *parse.NumberNode {
	return &parse.NumberNode{NodeType: parse.NodeNumber, Pos: pos, IsInt: true, Int64: int64(n), Text: fmt.Sprint(n)}
}
