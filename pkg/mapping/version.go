package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
)

// version is an app's version, ordered as in Semantic Versioning
// (https://semver.org/#spec-item-11) but with any number of parts: apps have "1.0" and
// "4.2.0.17", and a missing part counts as 0.
type version struct {
	parts      []string // digits without leading zeros
	prerelease []string // of "-beta.1"; a version that has any comes before one without
}

// parseVersion parses a version; a leading v and build metadata ("+…") are dropped.
func parseVersion(s string) (version, bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(s), "v"), "V")
	s, _, _ = strings.Cut(s, "+")
	if len(s) > 100 {
		return version{}, false
	}
	numbers, prerelease, hasPrerelease := strings.Cut(s, "-")
	var v version
	for part := range strings.SplitSeq(numbers, ".") {
		if !isDigits(part) {
			return version{}, false
		}
		v.parts = append(v.parts, part)
	}
	if hasPrerelease {
		v.prerelease = strings.Split(prerelease, ".")
	}
	return v, !slices.Contains(v.prerelease, "")
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// compareNumbers compares two strings of digits of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func (v version) part(i int) string {
	if i < len(v.parts) {
		return v.parts[i]
	}
	return "0"
}

func (v version) compare(w version) int {
	for i := range max(len(v.parts), len(w.parts)) {
		if c := compareNumbers(v.part(i), w.part(i)); c != 0 {
			return c
		}
	}
	if len(v.prerelease) == 0 || len(w.prerelease) == 0 {
		return cmp.Compare(len(w.prerelease), len(v.prerelease))
	}
	for i := range min(len(v.prerelease), len(w.prerelease)) {
		a, b := v.prerelease[i], w.prerelease[i]
		var c int
		switch {
		case isDigits(a) && isDigits(b):
			c = compareNumbers(a, b)
		case isDigits(a):
			c = -1
		case isDigits(b):
			c = 1
		default:
			c = strings.Compare(a, b)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.prerelease), len(w.prerelease))
}

// bound is one condition of a range, such as ">=2.1".
type bound struct {
	operator string
	version  version
}

func (b bound) holds(v version) bool {
	c := v.compare(b.version)
	switch b.operator {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case "!=":
		return c != 0
	}
	return c == 0
}

// versionRange is a list of alternatives, separated by ||; all conditions of an alternative
// must hold.
type versionRange [][]bound

// contains reports whether the text is a version within the range. A text that is not a
// version is in no range.
func (r versionRange) contains(s string) bool {
	v, ok := parseVersion(s)
	if !ok {
		return false
	}
	return slices.ContainsFunc(r, func(all []bound) bool {
		return !slices.ContainsFunc(all, func(b bound) bool { return !b.holds(v) })
	})
}

// operatorSpace is the white space allowed between an operator and its version.
var operatorSpace = lazyregexp.New(`([<>=!^~])\s+`)

// parseRange parses ">=2.1 <3", "^2.1", "~2.1", "2.*", "1.0 || >=2".
func parseRange(s string) (versionRange, error) {
	var r versionRange
	for alternative := range strings.SplitSeq(operatorSpace().ReplaceAllString(s, "$1"), "||") {
		var all []bound
		for _, word := range strings.FieldsFunc(alternative, func(r rune) bool { return r == ' ' || r == ',' }) {
			bounds, err := parseBound(word)
			if err != nil {
				return nil, err
			}
			all = append(all, bounds...)
		}
		if len(all) == 0 {
			return nil, errors.New("the version range is empty")
		}
		r = append(r, all)
	}
	return r, nil
}

// parseBound parses one word of a range.
func parseBound(word string) ([]bound, error) {
	text := strings.TrimLeft(word, "<>=!^~")
	operator := word[:len(word)-len(text)]
	if base := strings.TrimSuffix(strings.TrimSuffix(text, ".*"), ".x"); base != text && operator == "" {
		if v, ok := parseVersion(base); ok {
			return upTo(v, len(v.parts)-1), nil
		}
	}
	v, ok := parseVersion(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a version", text)
	}
	switch operator {
	case "", "=", "==":
		return []bound{{"=", v}}, nil
	case ">", ">=", "<", "<=", "!=":
		return []bound{{operator, v}}, nil
	case "~": // the second part stays, or the only one
		return upTo(v, min(1, len(v.parts)-1)), nil
	case "^": // the first part that is not 0 stays
		at := 0
		for at < len(v.parts)-1 && compareNumbers(v.parts[at], "0") == 0 {
			at++
		}
		return upTo(v, at), nil
	}
	return nil, fmt.Errorf("%q is not an operator of a version range", operator)
}

// upTo returns the range from v to below the version whose part at is one higher. Its
// pre-releases are excluded: 3.0.0-beta is not in ^2.0.
func upTo(v version, at int) []bound {
	next := version{prerelease: []string{"0"}}
	next.parts = append(next.parts, v.parts[:at]...)
	next.parts = append(next.parts, increment(v.parts[at]))
	return []bound{{">=", v}, {"<", next}}
}

// increment adds one to a string of digits.
func increment(digits string) string {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}
