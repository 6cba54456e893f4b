package mapping

import (
	"fairbridge/pkg/internal/suggest"
	"fairbridge/pkg/mapping/internal/strictyaml"

	"go.yaml.in/yaml/v4"
)

// valueObject is a value in its long form, a mapping.
var valueObject = strictyaml.Described(strictyaml.Object("a value", []strictyaml.Key[valueSpec]{
	strictyaml.Into("value", "The template, number, boolean, or list of them that is sent.",
		strictyaml.Optional(itemsKind), func(s *valueSpec) **value { return &s.plain }),
	strictyaml.Into("choice", "The template whose text must be one of allowed; a list for a multiple choice.",
		strictyaml.Optional(itemsKind), func(s *valueSpec) **value { return &s.chosen }),
	strictyaml.Into("allowed", "With choice: the form's exact choices. Case is ignored in the comparison, and the value is sent as it is written here.",
		strictyaml.ListOf(constantKind, 1), func(s *valueSpec) *[]constant { return &s.allowed }),
	strictyaml.Into("synonyms", "With choice: other spellings, and the allowed value for each.",
		synonymsKind, func(s *valueSpec) *[]synonym { return &s.synonyms }),
	strictyaml.Into("fallback", "With choice: the allowed value for any other text. Without it, such an event becomes a dead letter.",
		strictyaml.Optional(constantKind), func(s *valueSpec) **constant { return &s.fallback }),
	strictyaml.Into("split", "Splits the text at this separator into a list.",
		strictyaml.Separator, func(s *valueSpec) *string { return &s.split }),
	strictyaml.Into("type", "The type of the value. An event whose text is not a number, or not true or false, becomes a dead letter.",
		strictyaml.OneOf("text", "number", "boolean"), func(s *valueSpec) *string { return &s.as }),
	strictyaml.Into("omit", "Texts for which the parameter is left out; * matches any text, and case is ignored: [\"*@example.com\"].",
		strictyaml.OneOrMore(globKind), func(s *valueSpec) *[]glob { return &s.omit }),
	strictyaml.Into("omitEmpty", "Leaves the parameter out if its text is empty.",
		strictyaml.Bool, func(s *valueSpec) *bool { return &s.omitEmpty }),
	strictyaml.Into("required", "An event for which the text is empty becomes a dead letter.",
		strictyaml.Bool, func(s *valueSpec) *bool { return &s.required }),
}, checkValue), func(s *strictyaml.Schema) {
	need := func(key string) []string { return []string{key} }
	s.OneOf = []strictyaml.Schema{{Required: need("value")}, {Required: need("choice")}}
	s.Dependencies = map[string][]string{
		"choice": need("allowed"), "allowed": need("choice"), "synonyms": need("choice"), "fallback": need("choice"), "type": need("value"),
	}
	s.Not = map[string]any{"required": []string{"required", "omitEmpty"}, "properties": map[string]any{"required": isTrue, "omitEmpty": isTrue}}
})

// isTrue is the JSON Schema of true.
var isTrue = map[string]any{"const": true}

// checkValue checks the keys of a value against each other.
func checkValue(d *strictyaml.Decoder, n *yaml.Node, s *valueSpec) bool {
	if s.plain == nil && s.chosen == nil {
		d.Problem(n, "a value needs the key \"value\" or \"choice\"", `write the template there: {value: "{{ .text }}", required: true}`)
		return noted
	}
	if s.plain != nil && s.chosen != nil {
		d.Problem(strictyaml.ValueOf(n, "choice"), "a value has either value or choice, not both", "")
		return noted
	}
	for i, g := range s.omit {
		s.omit[i] = glob(fold(string(g)))
	}
	ok := true
	if s.required && s.omitEmpty {
		d.Problem(strictyaml.ValueOf(n, "omitEmpty"), "required and omitEmpty exclude each other", "remove one")
		ok = noted
	}
	if s.chosen == nil {
		for name, given := range map[string]bool{"allowed": s.allowed != nil, "synonyms": s.synonyms != nil, "fallback": s.fallback != nil} {
			if given {
				d.Problem(strictyaml.ValueOf(n, name), strictyaml.Quote(name)+" is for a choice", "write choice: in place of value:")
				ok = noted
			}
		}
		return ok
	}
	if s.as != "" {
		d.Problem(strictyaml.ValueOf(n, "type"), "a choice has the type of its allowed value", "remove type; quotes decide: 3 is a number, \"3\" is text")
		ok = noted
	}
	if s.allowed == nil {
		d.Problem(n, `a choice needs the key "allowed"`, "list the form's choices exactly")
		return noted
	}
	s.choice = &choice{allowed: s.allowed, by: map[string]int{}}
	return buildChoice(d, n, s) && ok
}

// buildChoice fills the choice's table and reports contradictions.
func buildChoice(d *strictyaml.Decoder, n *yaml.Node, s *valueSpec) bool {
	ok := true
	allowedNode := strictyaml.ValueOf(n, "allowed")
	names := make([]string, len(s.allowed))
	exact := map[string]int{}
	for i, a := range s.allowed {
		names[i] = a.text
		if _, twice := exact[a.text]; twice {
			d.Problem(element(allowedNode, i), strictyaml.Quote(a.text)+" is listed twice", "")
			ok = noted
		}
		exact[a.text] = i
		if _, taken := s.choice.by[fold(a.text)]; !taken {
			s.choice.by[fold(a.text)] = i
		}
	}
	target := func(to string, node *yaml.Node, what string) (int, bool) {
		i, found := exact[to]
		if !found {
			d.Problem(node, what+" "+strictyaml.Quote(to)+" is not in allowed", suggest.Hint(to, names))
		}
		return i, found
	}
	for _, syn := range s.synonyms {
		i, found := target(syn.to.Value, syn.to.Node, "the value")
		if at, taken := s.choice.by[fold(syn.from.Value)]; found && taken && at != i {
			d.Problem(syn.from.Node, strictyaml.Quote(syn.from.Value)+" already means "+strictyaml.Quote(s.allowed[at].text), "case and surrounding spaces are ignored")
			found = false
		}
		s.choice.by[fold(syn.from.Value)] = i
		ok = ok && found
	}
	if s.fallback != nil {
		i, found := target(s.fallback.text, strictyaml.ValueOf(n, "fallback"), "the fallback")
		s.choice.fallback = &s.allowed[i]
		ok = ok && found
	}
	return ok
}

// element returns the node of a list's element, for an error message.
func element(list *yaml.Node, i int) *yaml.Node {
	if list.Kind == yaml.AliasNode {
		list = list.Alias
	}
	if i < len(list.Content) {
		return list.Content[i]
	}
	return list
}
