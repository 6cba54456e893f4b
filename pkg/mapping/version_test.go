package mapping

import (
	"strings"
	"testing"
)

func TestVersionRange(t *testing.T) {
	for _, test := range []struct {
		rule     string
		in, notI string // versions, separated by spaces
	}{
		{"1.0", "1.0 1 1.0.0 v1.0 1.0+7", "1.0.1 2 1.0-beta x"},
		{"=1.0", "1.0", "1.1"},
		{"!=1.0", "1.1 0.9", "1.0.0"},
		{">=2.1 <3", "2.1 2.10 2.9.9.9 3.0-beta", "2.0.9 3 3.0"},
		{">= 2.1, < 3", "2.1", "3"},
		{">2", "2.0.1", "2.0"},
		{"<=2", "2.0 1 2-rc.1", "2.0.1"},
		{"^2.1", "2.1 2.9", "2.0 3.0 3.0-alpha"},
		{"^0.2", "0.2 0.2.9", "0.3 1.0"},
		{"^0", "0.0 0.9", "1"},
		{"~2.1", "2.1 2.1.9", "2.2 2.0"},
		{"~2", "2.9", "3"},
		{"2.*", "2 2.9", "3 1.9"},
		{"2.1.x", "2.1 2.1.7", "2.2"},
		{"1.0 || >=2", "1.0 2 3", "1.1"},
		{"<2.0.0-beta.2", "2.0.0-alpha 2.0.0-beta 2.0.0-beta.1 1.9", "2.0.0-beta.2 2.0.0-beta.11 2.0.0-rc 2.0.0"},
		{"^9999999999999999999999", "9999999999999999999999.1", "10000000000000000000000"},
	} {
		r, err := parseRange(test.rule)
		if err != nil {
			t.Errorf("%q: %v", test.rule, err)
			continue
		}
		for _, v := range strings.Fields(test.in) {
			if !r.contains(v) {
				t.Errorf("%s is not in %q", v, test.rule)
			}
		}
		for _, v := range strings.Fields(test.notI) {
			if r.contains(v) {
				t.Errorf("%s is in %q", v, test.rule)
			}
		}
	}
	for _, bad := range []string{"", "||", "1 ||", "x", ">=", "=>1", "1..2", "1.0-", ">=2.x", "^^1"} {
		if _, err := parseRange(bad); err == nil {
			t.Errorf("%q is a range", bad)
		}
	}
}

func FuzzVersionRange(f *testing.F) {
	f.Add(">=2.1 <3 || ^0.2", "2.1.0-beta.1")
	f.Fuzz(func(t *testing.T, rule, v string) {
		if r, err := parseRange(rule); err == nil {
			r.contains(v)
		}
	})
}
