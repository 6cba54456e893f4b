package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// template is the part of template.yaml that the tests read, with some parameters applied.
// Intrinsic functions other than conditions are read as their arguments: !Ref WorkQueue is
// "WorkQueue".
type template struct {
	Resources map[string]resource
}

type resource struct {
	Type       string
	Condition  string
	Properties properties
}

type properties struct {
	Environment struct{ Variables map[string]any }
	Policies    []struct {
		PolicyName     string
		PolicyDocument policy
	}
	PolicyDocument             policy
	VpcConfig                  map[string]any
	Timeout, VisibilityTimeout int
	MessageRetentionPeriod     int
	MaximumMessageSize         int
	RedrivePolicy              struct{ MaxReceiveCount int }
	AlarmDescription           string
	AccessLogSettings          struct{ Format string }
	DashboardBody              string
	Events                     map[string]struct {
		Type       string
		Properties struct{ Method, Path, PayloadFormatVersion string }
	}
}

type policy struct{ Statement []statement }

type statement struct {
	Sid      string
	Effect   string
	Action   list
	Resource list
	// Condition is operator, key, values.
	Condition map[string]map[string]list
}

// list is a string or a list of strings.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// readTemplate reads the template with parameters, each NAME=VALUE, in place of their
// defaults.
func readTemplate(t *testing.T, parameters ...string) (parsed template) {
	t.Helper()
	data, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	r := resolver{t: t, parameters: map[string]string{}, conditions: map[string]*yaml.Node{}}
	for name, p := range members(member(document.Content[0], "Parameters")) {
		r.parameters[name] = member(p, "Default").Value
	}
	for _, given := range parameters {
		name, value, _ := strings.Cut(given, "=")
		if _, ok := r.parameters[name]; !ok {
			t.Fatalf("template.yaml has no parameter %s", name)
		}
		r.parameters[name] = value
	}
	maps.Insert(r.conditions, members(member(document.Content[0], "Conditions")))
	r.resolve(document.Content[0])
	var anything map[string]any
	if err := document.Decode(&anything); err != nil {
		t.Fatal(err)
	}
	// Through JSON, whose keys keep the fields' names.
	if data, err = json.Marshal(anything); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &parsed); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(parsed.Resources, func(_ string, made resource) bool { return !r.holds(made.Condition) })
	return parsed
}

// resolver evaluates the template's conditions.
type resolver struct {
	t          *testing.T
	parameters map[string]string
	conditions map[string]*yaml.Node
}

// resolve replaces each !If below n by the branch that applies.
func (r resolver) resolve(n *yaml.Node) {
	for i := 0; i < len(n.Content); i++ {
		for n.Content[i].Tag == "!If" {
			choice := n.Content[i].Content[2]
			if r.holds(n.Content[i].Content[0].Value) {
				choice = n.Content[i].Content[1]
			}
			n.Content[i] = choice
		}
		if n.Content[i].Tag == "!Sub" && n.Content[i].Kind == yaml.SequenceNode {
			n.Content[i] = n.Content[i].Content[0] // without the variables of its own
		}
		if n.Content[i].Tag == "!Ref" && n.Content[i].Value == "AWS::NoValue" {
			at := i
			if n.Kind == yaml.MappingNode {
				at-- // with its key
			}
			n.Content = slices.Delete(n.Content, at, i+1)
			i = at - 1
			continue
		}
		r.resolve(n.Content[i])
	}
}

// holds evaluates a condition of the template; "" is always true.
func (r resolver) holds(condition string) bool {
	return condition == "" || r.isTrue(r.conditions[condition])
}

func (r resolver) isTrue(n *yaml.Node) bool {
	switch n.Tag {
	case "!Not":
		return !r.isTrue(n.Content[0])
	case "!Equals":
		return r.value(n.Content[0]) == r.value(n.Content[1])
	}
	r.t.Fatalf("condition %s is not known here", n.Tag)
	return false
}

func (r resolver) value(n *yaml.Node) string {
	switch n.Tag {
	case "!Ref":
		return r.parameters[n.Value]
	case "!Join": // of a parameter that is a list
		return r.value(n.Content[1])
	}
	return n.Value
}

// members returns the members of a mapping.
func members(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// member returns a member of a mapping, or an empty node if there is none.
func member(n *yaml.Node, name string) *yaml.Node {
	for key, value := range members(n) {
		if key == name {
			return value
		}
	}
	return &yaml.Node{}
}
