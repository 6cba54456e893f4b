package template

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of functions anew")

// TestDocsTable compares docs/mapping.md's table of functions with the code.
func TestDocsTable(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "docs", "mapping.md")
	docs, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)(<!-- functions:[^>]*-->\n)(.*?)(<!-- /functions -->)`)
	m := part.FindStringSubmatch(string(docs))
	if m == nil {
		t.Fatal("no table of functions")
	}
	table := functionTable()
	if *update {
		docs = part.ReplaceAllLiteral(docs, []byte(m[1]+table+m[3]))
		if err := os.WriteFile(path, docs, 0o666); err != nil {
			t.Fatal(err)
		}
	} else if m[2] != table {
		t.Error("the table of functions is not up to date: run go test ./pkg/mapping/internal/template -run Docs -update")
	}
}

func functionTable() string {
	var b strings.Builder
	b.WriteString("| function | yields | example | gives |\n| --- | --- | --- | --- |\n")
	for _, name := range functionNames() {
		f := functions[name]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(f.usage), cell(f.doc), code(f.example), code(f.yields))
	}
	return b.String()
}

// code returns a code span for a table cell.
func code(s string) string {
	s = strings.ReplaceAll(s, "|", `\|`)
	return "`" + strings.ReplaceAll(s, "\n", `\n`) + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
