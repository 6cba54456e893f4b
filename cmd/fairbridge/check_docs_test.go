package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands print into the docs")

// consoleBlock matches the console sessions in docs/mapping.md: lines with $ are typed by a
// person, the others are the command's output.
var consoleBlock = regexp.MustCompile("(?ms)^```console run\n(.*?)^```$")

// TestDocsConsole runs the documented commands in a folder like a clone's, with
// fairbridge.yaml as shipped.
func TestDocsConsole(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	here := t.TempDir()
	if err := os.CopyFS(filepath.Join(here, "events"), os.DirFS(filepath.Join(root, "events"))); err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile(filepath.Join(root, "pkg", "mapping", "testdata", "shipped.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"fairbridge.yaml": string(shipped),
		"fairbridge":      "#!/bin/sh\n" + asCommand + "=1 exec '" + self + "' \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(here, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(root, "docs", "mapping.md")
	docs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := consoleBlock.FindAllStringSubmatch(string(docs), -1)
	if len(blocks) == 0 {
		t.Fatal("the docs have no console session")
	}
	fresh := string(docs)
	for _, block := range blocks {
		var shown strings.Builder
		for line := range strings.Lines(block[1]) {
			command, typed := strings.CutPrefix(line, "$ ")
			if !typed {
				continue
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = here
			cmd.Env = append(os.Environ(), "PATH="+here+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			shown.WriteString(line + string(out))
		}
		if !*update && shown.String() != block[1] {
			t.Errorf("the docs show\n%sgot\n%s", block[1], shown.String())
		}
		fresh = strings.Replace(fresh, block[1], shown.String(), 1)
	}
	if *update {
		if err := os.WriteFile(file, []byte(fresh), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
