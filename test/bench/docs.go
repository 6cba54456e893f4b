package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// docsFile holds what the command writes, between markers, and what people
// wrote about it, around them.
const docsFile = "docs/performance.md"

// writeDocs puts the report's sections into the documentation.
func (l *lab) writeDocs(r report) error {
	path := filepath.Join(l.root, docsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the documentation: %w", err)
	}
	template, err := os.ReadFile(filepath.Join(l.root, "template.yaml"))
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	for name, content := range sections(r, string(template)) {
		if text, err = replaceSection(text, name, content); err != nil {
			return fmt.Errorf("%s: %w", docsFile, err)
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the documentation: %w", err)
	}
	return nil
}

// sections are what the command writes, by the names of their markers.
func sections(r report, template string) map[string]string {
	var table strings.Builder
	writeMarkdown(&table, r)
	fmt.Fprintf(&table, "\nMeasured on %s: %s\n", r.Date, r.noise())
	return map[string]string{"table": table.String(), "cost": r.cost().markdown(), "fixed": fixed(template).monthly()}
}

// replaceSection puts content between the markers of a name.
func replaceSection(text []byte, name, content string) ([]byte, error) {
	begin, end := fmt.Appendf(nil, "<!-- bench: %s -->\n", name), fmt.Appendf(nil, "<!-- end of bench: %s -->", name)
	before, rest, found := bytes.Cut(text, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !found || !closed {
		return nil, fmt.Errorf("the markers of the section %q are missing", name)
	}
	return bytes.Join([][]byte{before, begin, []byte("\n" + content + "\n"), end, after}, nil), nil
}
