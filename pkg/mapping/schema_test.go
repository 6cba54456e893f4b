package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

var schemaFile = filepath.Join("..", "..", "fairbridge.schema.json")

// TestSchemaFile compares the published schema with the decoder's table.
func TestSchemaFile(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, Schema(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, Schema()) {
		t.Error("fairbridge.schema.json is not up to date: run go test ./pkg/mapping -run SchemaFile -update")
	}
}

// TestSchemaAgreesWithParse checks that an editor does not underline what Parse accepts,
// and that both find mistakes of form.
func TestSchemaAgreesWithParse(t *testing.T) {
	var s any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	seen := map[bool]int{}
	for name, file := range schemaFiles(t) {
		var value any
		if err := yaml.Unmarshal([]byte(file), &value); err != nil {
			continue // editors report it without the schema
		}
		_, err := Parse(name, []byte(file))
		faults := conforms(s.(map[string]any), value, "")
		var problems Problems
		ofForm := errors.As(err, &problems) && slices.ContainsFunc(problems, isOfForm)
		switch {
		case err == nil && len(faults) > 0:
			t.Errorf("%s is valid, but the schema rejects it: %v", name, faults)
		case ofForm && len(faults) == 0:
			t.Errorf("%s is invalid, but the schema accepts it: %v", name, err)
		}
		seen[ofForm]++
	}
	if seen[true] < 10 || seen[false] < 10 {
		t.Errorf("too few files: %v", seen)
	}
}

// isOfForm reports whether a schema can express the problem.
func isOfForm(p Problem) bool {
	return regexp.MustCompile(`^(unknown key|unknown value|wants |an? [a-z]+ needs the key|the file needs|the list is empty|the text is empty|the value is missing|a value has either|a choice has the type|a route that ignores|match does not say)|must be a mapping|is for a choice$|exclude each other$`).
		MatchString(p.Message)
}

// schemaFiles returns the files of the other tests, valid and invalid ones.
func schemaFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, data := range readArchive(t, filepath.Join("testdata", "problems.txtar")).data {
		if strings.HasSuffix(name, ".yaml") {
			files[name] = data
		}
	}
	shipped, err := os.ReadFile(filepath.Join("testdata", "shipped.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files["shipped.yaml"] = string(shipped)
	for name, fields := range map[string]string{
		"template":  `      x: "{{ .a }}"`,
		"constants": `      x: [1, 1.5, true, text]`,
		"options":   `      x: {value: ["{{ .a }}", 2], type: number, omit: "*@a.com", omitEmpty: true}`,
		"choice":    `      x: {choice: "{{ .a }}", split: ",", allowed: [1, b, true], synonyms: {c: b, d: 1}, fallback: b, omit: [a, b]}`,
		"not empty": `      x: {value: a, required: true, omitEmpty: false}`,
		// Each contradicts itself in one way only.
		"two values":   `      x: {value: a, choice: a, allowed: [a]}`,
		"no value":     `      x: {required: true}`,
		"no selection": `      x: {choice: a}`,
		"not a choice": `      x: {value: a, fallback: a}`,
		"no synonyms":  `      x: {value: a, synonyms: {a: b}}`,
		"typed choice": `      x: {choice: a, allowed: [a], type: text}`,
		"both":         `      x: {value: a, required: true, omitEmpty: true}`,
	} {
		files[name] = route(fields)
	}
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range fence.FindAllStringSubmatch(string(docs), -1) {
		switch name := fmt.Sprintf("docs %d", i); m[2] {
		case "file":
			files[name] = m[3]
		case "fields":
			files[name] = route("      " + strings.ReplaceAll(m[3], "\n", "\n      "))
		}
	}
	files["ignored and more"] = "routes: [{match: {event: crash}, ignore: true, project: A}]"
	files["ignored, all"] = "routes: [{match: {app: A}, ignore: true}]"
	files["not ignored"] = "routes: [{match: {event: crash}, ignore: false, project: A, source: b, fields: {x: y}}]"
	files["any event"] = "routes: [{match: {app: A}, ignore: false, project: A, source: b, fields: {x: y}}]"
	files["everything"] = `
centercode: {baseUrl: https://beta.example.com, hosts: [a.example.com:8443], ticketUrl: "https://beta.example.com/{{ .project }}/{{ .ticketId }}"}
retry: {for: 10d}
ledger: {remember: ids}
testfairy: {user: ops@example.com, baseUrl: https://mobile.saucelabs.com}
sources: {hosts: [a.example.com], allowLoopback: true, resolve: {a.example.com: "http://127.0.0.1:1"}, maxBytes: 1024}
defaults: {project: A, source: 7, fields: {a: b, id: "{{ .deliveryId }}"}, onLostAnswer: retry}
routes:
  - {match: {event: [feedback], app: [1, b], project: 10, version: 1.0, when: "true"}, ignore: true}
  - match: {event: crash}
    attachments:
      - {from: x, element: y, want: image, auth: testfairy, filename: z, field: w, optional: false, endpoint: "https://v", onLostAnswer: park}
      - {session: log, element: y, endpoint: "https://v"}
    lookup: {package: p, column: c, ticketColumn: t, settle: 5s}
`
	return files
}

// conforms checks a value against the keywords that Schema uses, and returns where it does
// not conform.
func conforms(s map[string]any, value any, at string) (faults []string) {
	fault := func(what string) { faults = append(faults, at+": "+what) }
	if types := asList(s["type"]); types != nil && !slices.Contains(types, any(jsonType(value))) {
		fault("not of type " + jsonType(value))
		return faults
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, value) {
		fault("not in enum")
	}
	if text, ok := value.(string); ok && s["pattern"] != nil && !regexp.MustCompile(s["pattern"].(string)).MatchString(text) {
		fault("does not match the pattern")
	}
	if c, ok := s["const"]; ok && c != value {
		fault("not the constant")
	}
	fits := func(s any) bool { return len(conforms(s.(map[string]any), value, at)) == 0 }
	if list := s["anyOf"]; list != nil && !slices.ContainsFunc(asList(list), fits) {
		fault("none of anyOf")
	}
	if list := s["oneOf"]; list != nil && len(slices.DeleteFunc(slices.Clone(asList(list)), func(s any) bool { return !fits(s) })) != 1 {
		fault("not one of oneOf")
	}
	if s["not"] != nil && fits(s["not"]) {
		fault("what it must not be")
	}
	if s["if"] != nil {
		branch := "else"
		if fits(s["if"]) {
			branch = "then"
		}
		faults = append(faults, conforms(s[branch].(map[string]any), value, at)...)
	}
	switch value := value.(type) {
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for name, v := range value {
			other, more := s["additionalProperties"].(map[string]any)
			switch p, known := properties[name].(map[string]any); {
			case known:
				faults = append(faults, conforms(p, v, at+"."+name)...)
			case more:
				faults = append(faults, conforms(other, v, at+"."+name)...)
			case s["additionalProperties"] == false:
				fault("unknown key " + name)
			}
		}
		for name := range value {
			needs, _ := s["dependencies"].(map[string]any)
			for _, other := range asList(needs[name]) {
				if _, ok := value[other.(string)]; !ok {
					fault(name + " needs " + other.(string))
				}
			}
			if names, ok := s["propertyNames"].(map[string]any); ok {
				faults = append(faults, conforms(names, name, at+"."+name)...)
			}
		}
		for _, name := range asList(s["required"]) {
			if _, ok := value[name.(string)]; !ok {
				fault("needs " + name.(string))
			}
		}
	case []any:
		if least, ok := s["minItems"].(float64); ok && float64(len(value)) < least {
			fault("too few items")
		}
		if items, ok := s["items"].(map[string]any); ok {
			for _, v := range value {
				faults = append(faults, conforms(items, v, at+"[]")...)
			}
		}
	}
	return faults
}

func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if math.IsInf(v, 0) {
			return "infinite"
		}
		return "number"
	case int, int64, uint64:
		return "number"
	}
	return reflect.TypeOf(v).String()
}
