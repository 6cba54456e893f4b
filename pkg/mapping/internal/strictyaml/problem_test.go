package strictyaml

import (
	"bytes"
	"testing"
)

func TestProblemWithTab(t *testing.T) {
	var b bytes.Buffer
	p := Problem{File: "f", Line: 7, Column: 5, Width: 2, Message: "m", Source: "\t日\u202e: xy"}
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	if want := "f:7:5: m\n    7 | \t日?: xy\n      | \t    ^~\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
