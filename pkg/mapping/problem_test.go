package mapping

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// archive is a file of files: "-- name --" starts one, as in txtar.
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

// TestProblems holds every message against testdata/problems.txtar, where each
// file is followed by what Parse says of it.
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
