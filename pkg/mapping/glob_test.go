package mapping

import "testing"

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		glob, text string
		want       bool
	}{
		{"a", "a", true}, {"a", "A", false}, {"a", "ab", false},
		{"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"*b*", "abc", true},
		{"a**b", "ab", true}, {"what?", "what?", true}, {"a*b", "a*b", true},
	} {
		if got := glob(test.glob).matches(test.text); got != test.want {
			t.Errorf("%q matches %q: %t", test.glob, test.text, got)
		}
	}
}
