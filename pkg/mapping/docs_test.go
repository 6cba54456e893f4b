package mapping

import (
	"encoding/json"
	"errors"
	"fairbridge/pkg/mapping/internal/strictyaml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var docsFile = filepath.Join("..", "..", "docs", "mapping.md")

// fence matches the labelled code blocks of the reference.
var fence = regexp.MustCompile("(?ms)^```(yaml|json|text|console) (\\w+)\n(.*?)^```$")

// TestDocsExamples runs every example of docs/mapping.md. A file or a few fields are
// followed by the request that Centercode gets for the documented feedback, or for the
// event in between.
func TestDocsExamples(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	var c *Config
	payload, compared := feedback, 0
	for _, m := range fence.FindAllStringSubmatch(string(data), -1) {
		kind, block := m[2], m[3]
		switch kind {
		case "file":
			c, payload = mustParse(t, block), feedback
		case "fields":
			c, payload = mustParse(t, route("      "+strings.ReplaceAll(block, "\n", "\n      "))), feedback
		case "event":
			payload = block
		case "sent", "request":
			got := shownRequest(c, input(t, payload), kind == "sent")
			if got != block {
				t.Errorf("the docs show\n%sgot\n%s", block, got)
			}
			compared++
		case "run": // tested by cmd/fairbridge
		default:
			t.Errorf("unknown kind of example %q", kind)
		}
	}
	if blocks := strings.Count(string(data), "\n```") / 2; compared < 10 || blocks != len(fence.FindAllString(string(data), -1)) {
		t.Errorf("%d blocks, %d compared: some example is not run", blocks, compared)
	}
}

// shownRequest formats a request as in the docs.
func shownRequest(c *Config, in Input, bodyOnly bool) string {
	req, err := c.Map(in)
	switch {
	case errors.Is(err, ErrIgnored):
		return "ignored\n"
	case err != nil:
		return "error: " + err.Error() + "\n"
	case bodyOnly:
		return string(req.Body) + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "POST /api/v1/projects/%s/feedback/%s\n%s\n", req.Project, req.Source, req.Body)
	for _, a := range req.Attachments {
		fmt.Fprintf(&b, "%s <- %s", a.Element, a.URL)
		if a.Filename != "" {
			b.WriteString(" as " + a.Filename)
		}
		if a.Optional {
			b.WriteString(" (optional)")
		}
		b.WriteByte('\n')
	}
	for _, element := range req.NotAttached {
		fmt.Fprintf(&b, "%s <- nothing\n", element)
	}
	for _, w := range req.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// TestDocsTable compares the reference's table of keys with the code.
func TestDocsTable(t *testing.T) {
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)(<!-- keys:[^>]*-->\n)(.*?)(<!-- /keys -->)`)
	m := part.FindStringSubmatch(string(docs))
	if m == nil {
		t.Fatal("no table of keys")
	}
	table := keyTable()
	if *update {
		docs = part.ReplaceAllLiteral(docs, []byte(m[1]+table+m[3]))
		if err := os.WriteFile(docsFile, docs, 0o666); err != nil {
			t.Fatal(err)
		}
	} else if m[2] != table {
		t.Error("the table of keys is not up to date: run go test ./pkg/mapping -run Docs -update")
	}
}

func keyTable() string {
	var b strings.Builder
	b.WriteString("| key | what it is |\n| --- | --- |\n")
	var walk func(s strictyaml.Schema, path string)
	walk = func(s strictyaml.Schema, path string) {
		for _, p := range s.Properties {
			// The keys of defaults are described where a route has them.
			if path == "defaults." {
				continue
			}
			doc := cell(p.Description)
			if slices.Contains(s.Required, p.Name) {
				doc += " **Required.**"
			}
			if p.Default != nil {
				value, _ := json.Marshal(p.Default)
				doc += " Default: " + code(strings.Trim(string(value), `"`)) + "."
			}
			fmt.Fprintf(&b, "| %s | %s |\n", code(path+p.Name), doc)
			walk(p.Schema, path+p.Name+".")
			if p.Items != nil {
				walk(*p.Items, path+p.Name+"[].")
			}
			if others, ok := p.Others.(*strictyaml.Schema); ok {
				for _, s := range others.AnyOf {
					walk(s, path+p.Name+".*.")
				}
			}
		}
	}
	walk(topKind.Schema, "")
	return b.String()
}

// code returns a code span for a table cell.
func code(s string) string {
	s = strings.ReplaceAll(s, "|", `\|`)
	return "`" + strings.ReplaceAll(s, "\n", `\n`) + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
