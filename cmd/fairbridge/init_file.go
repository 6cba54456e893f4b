package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"fairbridge/pkg/terminal"
)

// firstFile is what a first mapping file says.
type firstFile struct {
	BaseURL         string // empty: the simulator
	Project, Source string
	App             string // empty: every app
	Element         string // for the screenshot; "-" or empty: none
	Crashes         bool
}

// firstFileTemplate has [[ ]] where init fills something in, since the file has
// {{ }} of its own.
//
//go:embed init.yaml.tmpl
var firstFileTemplate string

var firstFileText = template.Must(template.New("fairbridge.yaml").Delims("[[", "]]").
	Funcs(template.FuncMap{"yaml": yamlText}).Parse(firstFileTemplate))

// text is the file.
func (f firstFile) text() []byte {
	if f.Element == "-" {
		f.Element = ""
	}
	var b bytes.Buffer
	_ = firstFileText.Execute(&b, f) // it cannot fail: every field is there
	return b.Bytes()
}

// summary says what the file does.
func (f firstFile) summary() string {
	what, app, where := "feedback", "every app", "the simulator"
	if f.Crashes {
		what = "feedback and crashes"
	}
	if f.App != "" {
		app = "the app " + terminal.Printable(f.App)
	}
	if f.BaseURL != "" {
		where = f.BaseURL
	}
	return "It makes tickets of " + what + " from " + app + ", in the project " + f.Project + " at " + where + "."
}

// plainWord is a text that YAML takes as a text without quotes, and yamlWords
// those that some readers take for something else.
var (
	plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
)

// yamlText writes a text so that YAML reads it as that text: JSON's strings are
// YAML's.
func yamlText(s string) (string, error) {
	if plainWord.MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return strings.TrimSuffix(b.String(), "\n"), err
}
