package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// docsFile contains the command's output, between markers, and the text around it.
const docsFile = "docs/performance.md"

// writeDocs writes the sections of the reports to the documentation, the last report first.
func (l *lab) writeDocs(kept []report) error {
	path := filepath.Join(l.root, docsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the documentation: %w", err)
	}
	template, err := os.ReadFile(filepath.Join(l.root, "template.yaml"))
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	for name, content := range sections(kept, string(template)) {
		if text, err = replaceSection(text, name, content); err != nil {
			return fmt.Errorf("%s: %w", docsFile, err)
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the documentation: %w", err)
	}
	return nil
}

// sections returns the command's output by the names of their markers.
func sections(kept []report, template string) map[string]string {
	var table strings.Builder
	for i, r := range kept {
		if i > 0 {
			table.WriteString("\n")
		}
		fmt.Fprintf(&table, "Measured on %s: %s\n\n", r.Date, r.noise())
		writeMarkdown(&table, r)
	}
	return map[string]string{"table": table.String(), "cost": kept[0].cost().markdown(), "fixed": fixed(template).monthly()}
}

// replaceSection replaces the content between the markers of a name.
func replaceSection(text []byte, name, content string) ([]byte, error) {
	begin, end := fmt.Appendf(nil, "<!-- bench: %s -->\n", name), fmt.Appendf(nil, "<!-- end of bench: %s -->", name)
	before, rest, found := bytes.Cut(text, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !found || !closed {
		return nil, fmt.Errorf("the markers of the section %q are missing", name)
	}
	return bytes.Join([][]byte{before, begin, []byte("\n" + content + "\n"), end, after}, nil), nil
}
