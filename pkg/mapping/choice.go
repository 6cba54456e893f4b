package mapping

import (
	"go.yaml.in/yaml/v4"
)

// valueObject is a value that says more than its template.
var valueObject = described(object("a value", []key[valueSpec]{
	into("value", "The template, number, boolean, or list of them that is sent.",
		optional(itemsKind), func(s *valueSpec) **value { return &s.plain }),
	into("choice", "The template whose text must be one of allowed; a list for a multiple choice.",
		optional(itemsKind), func(s *valueSpec) **value { return &s.choice }),
	into("allowed", "With choice: the selection of the form, to the letter. It is compared in any case, and sent as it is written here.",
		listOf(constantKind, 1), func(s *valueSpec) *[]constant { return &s.allowed }),
	into("synonyms", "With choice: other spellings, and the allowed value each stands for.",
		synonymsKind, func(s *valueSpec) *[]synonym { return &s.synonyms }),
	into("fallback", "With choice: the allowed value for every other text. Without it such an event becomes a dead letter.",
		optional(constantKind), func(s *valueSpec) **constant { return &s.fallback }),
	into("split", "Cuts the text at this separator into a list.",
		separatorKind, func(s *valueSpec) *string { return &s.split }),
	into("type", "What a template's text is sent as. A text that is no number, or not true or false, makes the event a dead letter.",
		oneOf("text", "number", "boolean"), func(s *valueSpec) *string { return &s.as }),
	into("omit", "Texts, with * for any text, in any case, for which the parameter is left out: [\"*@example.com\"].",
		oneOrMore(globKind), func(s *valueSpec) *[]glob { return &s.omit }),
	into("omitEmpty", "Leaves the parameter out where its text is empty.",
		boolKind, func(s *valueSpec) *bool { return &s.omitEmpty }),
	into("required", "Makes an event for which the text is empty a dead letter.",
		boolKind, func(s *valueSpec) *bool { return &s.required }),
}, checkValue), func(s *schema) {
	need := func(key string) []string { return []string{key} }
	s.Rules = []keyword{
		{"oneOf", []schema{{Required: need("value")}, {Required: need("choice")}}},
		{"dependencies", map[string][]string{
			"choice": need("allowed"), "allowed": need("choice"), "synonyms": need("choice"), "fallback": need("choice"), "type": need("value"),
		}},
		{"not", map[string]any{"required": []string{"required", "omitEmpty"}, "properties": map[string]any{"required": isTrue, "omitEmpty": isTrue}}},
	}
})

// isTrue is the JSON Schema of true.
var isTrue = map[string]any{"const": true}

// checkValue holds the keys of a value against each other.
func checkValue(d *decoder, n *yaml.Node, s *valueSpec) bool {
	if s.plain == nil && s.choice == nil {
		d.problem(n, "a value needs the key \"value\" or \"choice\"", `write the template there: {value: "{{ .text }}", required: true}`)
		return noted
	}
	if s.plain != nil && s.choice != nil {
		d.problem(valueOf(n, "choice"), "a value has either value or choice, not both", "")
		return noted
	}
	for i, g := range s.omit {
		s.omit[i] = glob(fold(string(g)))
	}
	ok := true
	if s.required && s.omitEmpty {
		d.problem(valueOf(n, "omitEmpty"), "required and omitEmpty exclude each other", "take one out")
		ok = noted
	}
	if s.choice == nil {
		for name, given := range map[string]bool{"allowed": s.allowed != nil, "synonyms": s.synonyms != nil, "fallback": s.fallback != nil} {
			if given {
				d.problem(valueOf(n, name), quote(name)+" is for a choice", "write choice: in place of value:")
				ok = noted
			}
		}
		return ok
	}
	if s.as != "" {
		d.problem(valueOf(n, "type"), "a choice has the type of its allowed value", "take the type out; quotes decide: 3 is a number, \"3\" a text")
		ok = noted
	}
	if s.allowed == nil {
		d.problem(n, `a choice needs the key "allowed"`, "list the form's selection to the letter")
		return noted
	}
	s.built = &choice{allowed: s.allowed, by: map[string]int{}}
	return d.buildChoice(n, s) && ok
}

// buildChoice fills the choice's table and notes what contradicts itself.
func (d *decoder) buildChoice(n *yaml.Node, s *valueSpec) bool {
	ok := true
	allowedNode := valueOf(n, "allowed")
	names := make([]string, len(s.allowed))
	exact := map[string]int{}
	for i, a := range s.allowed {
		names[i] = a.text
		if _, twice := exact[a.text]; twice {
			d.problem(d.element(allowedNode, i), quote(a.text)+" is in the list twice", "")
			ok = noted
		}
		exact[a.text] = i
		if _, taken := s.built.by[fold(a.text)]; !taken {
			s.built.by[fold(a.text)] = i
		}
	}
	target := func(to string, node *yaml.Node, what string) (int, bool) {
		i, found := exact[to]
		if !found {
			d.problem(node, what+" "+quote(to)+" is not in allowed", suggestion(to, names))
		}
		return i, found
	}
	for _, syn := range s.synonyms {
		i, found := target(syn.to.value, syn.to.node, "the value")
		if at, taken := s.built.by[fold(syn.from.value)]; found && taken && at != i {
			d.problem(syn.from.node, quote(syn.from.value)+" already stands for "+quote(s.allowed[at].text), "capitals and spaces around it do not count")
			found = false
		}
		s.built.by[fold(syn.from.value)] = i
		ok = ok && found
	}
	if s.fallback != nil {
		i, found := target(s.fallback.text, valueOf(n, "fallback"), "the fallback")
		s.built.fallback = &i
		ok = ok && found
	}
	return ok
}

// element is the node of a list's element, for a message.
func (d *decoder) element(list *yaml.Node, i int) *yaml.Node {
	if list.Kind == yaml.AliasNode {
		list = list.Alias
	}
	if i < len(list.Content) {
		return list.Content[i]
	}
	return list
}
