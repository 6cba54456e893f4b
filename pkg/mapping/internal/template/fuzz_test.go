package template

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRun checks that every template and event yield a bounded and valid text that does not
// contain Go's notation for a missing value.
func FuzzRun(f *testing.F) {
	f.Add("{{ range $k, $v := . }}{{ $k }}{{ $v.a.b }}{{ end }}", []byte(feedback))
	f.Add("{{ with .nested }}{{ (index .list 1).x }}{{ else }}{{ break }}{{ end }}", []byte(feedback))
	f.Add("{{ $x := print .text }}{{ range .tags }}{{ $x = print $x $x }}{{ end }}{{ $x }}", []byte(feedback))
	f.Add("{{ and (eq .build 1) (lt .a .b) | not }}{{ len .c }}{{ json . }}", []byte(`{"event":"x","a":[[[{}]]],"b":-1e999}`))
	for _, function := range functions {
		f.Add(function.example, []byte(feedback))
	}
	f.Fuzz(func(t *testing.T, source string, payload []byte) {
		c, faults := Compile(source)
		for _, fault := range faults {
			if fault.Offset < 0 || fault.Offset > len(source) || fault.Message == "" {
				t.Errorf("fault %+v", fault)
			}
		}
		decoder := json.NewDecoder(strings.NewReader(string(payload)))
		decoder.UseNumber()
		fields := map[string]any{}
		if len(faults) > 0 || decoder.Decode(&fields) != nil || fields == nil {
			return
		}
		out, err := c.Run(New(fields, fields))
		if err == nil && (!utf8.ValidString(out) || len(out) > 3*maxText) {
			t.Errorf("output %q", out)
		}
		if strings.Contains(out, "<no value>") && !strings.Contains(source+string(payload), "no value") {
			t.Errorf("output %q", out)
		}
	})
}
