package suggest

import "testing"

func TestHint(t *testing.T) {
	keys := []string{"project", "source", "fields", "attachments"}
	for _, test := range []struct{ word, want string }{
		{"projct", `did you mean "project"?`},
		{"PROJECT", `did you mean "project"?`},
		{"suorce", `did you mean "source"?`}, // two letters swapped
		{"field", `did you mean "fields"?`},
		{"x", "known: project, source, fields, attachments"},
	} {
		if got := Hint(test.word, keys); got != test.want {
			t.Errorf("%s: %s, want %s", test.word, got, test.want)
		}
	}
	if got := Hint("x", nil); got != "" {
		t.Errorf("nothing is known, but %s", got)
	}
}
