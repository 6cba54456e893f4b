package mapping

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// archive is a list of files, each started by "-- name --", as in txtar.
type archive struct {
	names []string
	data  map[string]string
}

var fileStart = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func readArchive(t *testing.T, path string) archive {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{data: map[string]string{}}
	starts := fileStart.FindAllSubmatchIndex(content, -1)
	for i, m := range starts {
		end := len(content)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name := string(content[m[2]:m[3]])
		a.names = append(a.names, name)
		a.data[name] = string(content[m[1]:end])
	}
	return a
}

// TestProblems checks every message against testdata/problems.txtar, where each file is
// followed by Parse's errors about it.
func TestProblems(t *testing.T) {
	path := filepath.Join("testdata", "problems.txtar")
	a := readArchive(t, path)
	var anew bytes.Buffer
	for _, name := range a.names {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		answer := rendered(t, name, a.data[name])
		golden := name[:len(name)-len(".yaml")] + ".problems"
		anew.WriteString("-- " + name + " --\n" + a.data[name] + "-- " + golden + " --\n" + answer)
		if !*update && answer != a.data[golden] {
			t.Errorf("%s:\n%s\nwant:\n%s", name, answer, a.data[golden])
		}
	}
	if *update {
		if err := os.WriteFile(path, anew.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProblemsOfBytes has problems caused by bytes that an archive would not show.
func TestProblemsOfBytes(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"a: é\xff", "x.yaml:1:5: this is not UTF-8; save the file as UTF-8"},
		{"a: b\nc:\x00", "x.yaml:2:3: a control character; remove it"},
		{"a: \x1b[31m", "x.yaml:1:4: a control character; remove it"},
		{"\xff\xfea\x00", "x.yaml:1:1: this is not UTF-8; save the file as UTF-8"},
		{"\uFEFFroute: 1\r\nroutes: []\r\n", "x.yaml:1:1: unknown key \"route\" in the file; did you mean \"routes\"?\n" +
			"x.yaml:2:9: the list is empty; write an entry, or remove the key"},
		{strings.ReplaceAll(route("      x: |\n        a\n          {{ .a | uper }}\n"), "\n", "\r\n"),
			"x.yaml:8:19: unknown function \"uper\"; did you mean \"upper\"?"},
		{route("      x: |2\n          {{ .a | uper }}"), "x.yaml:7:19: unknown function \"uper\"; did you mean \"upper\"?"},
		{route("      x: \"\\u00e9\\x41\\U0001F600 {{ uper .a }}\""), "x.yaml:6:35: unknown function \"uper\"; did you mean \"upper\"?"},
		{route("      x: &a \"{{ uper .a }}\""), "x.yaml:6:17: unknown function \"uper\"; did you mean \"upper\"?"},
		{route("      x: \"one\n        {{ uper .a }}\""), "x.yaml:7:12: unknown function \"uper\"; did you mean \"upper\"?"},
	} {
		if _, err := Parse("x.yaml", []byte(test.file)); err == nil || err.Error() != test.want {
			t.Errorf("%q: %v\nwant %s", test.file, err, test.want)
		}
	}
}

func TestLoad(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder is accepted as a file")
	}
}

func rendered(t *testing.T, name, data string) string {
	t.Helper()
	_, err := Parse(name, []byte(data))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Errorf("%s: error %v, want Problems", name, err)
		return ""
	}
	var b bytes.Buffer
	if err := problems.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
