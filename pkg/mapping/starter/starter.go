// Package starter writes a first mapping file.
package starter

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/terminal"
)

// schemaFile is the file that the first line of a mapping file refers editors to.
const schemaFile = "fairbridge.schema.json"

// File is what differs from one first mapping file to another.
type File struct {
	// BaseURL is Centercode's address; "" for the simulator.
	BaseURL string
	// Project and Source are the keys of the project and its External Source.
	Project, Source string
	// App is the name of the app whose events are wanted; "" for every app.
	App string
	// Element is the key of the file element for the screenshot; "-" or "" for none.
	Element string
	// Crashes makes tickets of crashes as well.
	Crashes bool
}

// fileTemplate has [[ ]] where something is filled in, since the file has
// {{ }} of its own.
//
//go:embed fairbridge.yaml.tmpl
var fileTemplate string

var fileText = template.Must(template.New("fairbridge.yaml").Delims("[[", "]]").
	Funcs(template.FuncMap{"yaml": yamlText}).Parse(fileTemplate))

// Text returns the file.
func (f File) Text() []byte {
	if f.Element == "-" {
		f.Element = ""
	}
	var b bytes.Buffer
	_ = fileText.Execute(&b, f) // it cannot fail: every field is there
	return b.Bytes()
}

// Summary describes what the file does, in a sentence.
func (f File) Summary() string {
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
	text, err := plainjson.Marshal(s)
	return string(text), err
}

// Write writes the mapping file and, if there is none, the schema beside it. It returns the
// names of the files it wrote. If the mapping file exists, and force is not given, the error
// wraps [fs.ErrExist].
func (f File) Write(config string, force bool) (wrote []string, err error) {
	text := f.Text()
	if _, err := mapping.Parse(config, text); err != nil {
		return nil, fmt.Errorf("the answers do not produce a valid file: %w", err)
	}
	if err := writeNew(config, text, force); err != nil {
		return nil, fmt.Errorf("write the mapping file: %w", err)
	}
	wrote = []string{config}
	schema := filepath.Join(filepath.Dir(config), schemaFile)
	switch err := writeNew(schema, mapping.Schema(), force); {
	case err == nil:
		wrote = append(wrote, schema)
	case !errors.Is(err, fs.ErrExist):
		return wrote, fmt.Errorf("write the schema: %w", err)
	}
	return wrote, nil
}

// writeNew writes a file that is not there yet, or with force in place of it.
func writeNew(path string, data []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
