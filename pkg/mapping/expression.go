package mapping

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/internal/suggest"
	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/mapping/internal/template"
)

// expression is a template of the file, if there is one.
type expression struct {
	*template.Template
	readings []reading
}

// given reports whether the file has the template.
func (x expression) given() bool { return x.Template != nil }

// expressionKind is the kind of a template. An empty template is allowed and sends an empty
// text.
var expressionKind = strictyaml.Kind[expression]{
	Schema: strictyaml.Schema{Types: []string{"string", "number"}, Examples: []any{"{{ .text | firstLine | truncate 120 }}"}},
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (expression, bool) {
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
			return readExpression(d, n)
		}
		s, ok := strictyaml.Text.Read(d, n)
		return expression{Template: template.Text(s)}, ok
	},
}

// readExpression compiles a node's text and reports every fault with its position in the
// file.
func readExpression(d *strictyaml.Decoder, n *yaml.Node) (expression, bool) {
	t, faults := template.Compile(n.Value)
	for _, f := range faults {
		line, column := d.Locate(n, f.Offset)
		width := 1
		if end := min(f.Offset+f.Width, len(n.Value)); end > f.Offset {
			word, _, _ := strings.Cut(n.Value[f.Offset:end], "\n")
			width = utf8.RuneCountInString(word)
		}
		d.At(line, column, width, f.Message, f.Hint)
	}
	if len(faults) == 0 && !d.Straight(n) {
		return expression{Template: t}, noted
	}
	x := expression{Template: t}
	for _, u := range t.Fields() {
		line, column := d.Locate(n, u.Offset)
		x.readings = append(x.readings, reading{field: u.Field, place: d.Place(line, column, 1+utf8.RuneCountInString(u.Field))})
	}
	return x, len(faults) == 0
}

// ticketURLKind is a template for the address of a ticket's page.
var ticketURLKind = strictyaml.Described(strictyaml.Kind[expression]{
	Read: func(d *strictyaml.Decoder, n *yaml.Node) (expression, bool) {
		x, ok := expressionKind.Read(d, n)
		if !ok {
			return x, noted
		}
		known := []string{"ticketId", "project"}
		for _, r := range x.readings {
			if !slices.Contains(known, r.field) {
				d.At(r.place.Line, r.place.Column, r.place.Width, "ticketUrl cannot read "+strictyaml.Quote(r.field), suggest.Hint(r.field, known))
				ok = noted
			}
		}
		switch {
		case !ok:
		case !x.Reads("ticketId"):
			d.Problem(n, "the address is the same for every ticket", "put {{ .ticketId }} where the ticket's id belongs")
			ok = noted
		case !isWebPage(strings.TrimSpace(x.Outline())):
			d.Problem(n, "not the address of a web page", "write https://, the host and the path: https://beta.example.com/tickets/{{ .ticketId }}")
			ok = noted
		}
		return x, ok
	},
}, func(s *strictyaml.Schema) {
	s.Types, s.Examples = []string{"string"}, []any{"https://beta.example.com/tickets/{{ .ticketId }}"}
})

// isWebPage reports whether s is an address that a link may have.
func isWebPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback.IsHost(u.Hostname()))
}
