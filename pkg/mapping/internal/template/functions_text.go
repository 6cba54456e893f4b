package template

import (
	"cmp"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/plainjson"
)

// firstLine also recognises the line ends of other systems and scripts.
func firstLine(s string) string {
	for len(s) > 0 {
		line, rest := s, ""
		if end := strings.IndexAny(s, "\n\r\v\f\u0085\u2028\u2029"); end >= 0 {
			line, rest = s[:end], s[end+1:]
		}
		if line = strings.TrimSpace(strings.ToValidUTF8(line, "")); line != "" {
			return line
		}
		s = rest
	}
	return ""
}

func truncateText(_ *Execution, all []string) (any, error) {
	count, err := strconv.Atoi(all[0])
	if err != nil || count < 0 {
		return nil, errors.New("needs a whole number of characters first")
	}
	end := ""
	if len(all) == 3 {
		end = all[1]
	}
	return clip.Text(all[len(all)-1], count, end), nil
}

func replaceText(_ *Execution, all []string) (any, error) {
	old, replacement, s := all[0], all[1], all[2]
	if old == "" {
		return s, nil // nothing to search for
	}
	// The size is computed before the text is built, since it may be enormous.
	if growth := len(replacement) - len(old); growth > 0 && len(s)+strings.Count(s, old)*growth > maxText {
		return nil, errTooLong
	}
	return strings.ReplaceAll(s, old, replacement), nil
}

func defaultValue(e *Execution, args []any) (any, error) {
	size, ok := elements(args[1])
	if !ok {
		s, err := e.text(args[1])
		if err != nil {
			return nil, err
		}
		size = len(strings.TrimSpace(s))
	}
	if size == 0 {
		return args[0], nil
	}
	return args[1], nil
}

func joinList(e *Execution, args []any) (any, error) {
	separator, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	list, ok := args[1].([]any)
	if !ok {
		return e.text(args[1])
	}
	return e.concat(list, separator)
}

// concat joins the values, and stops at maxText.
func (e *Execution) concat(values []any, separator string) (any, error) {
	var b strings.Builder
	for i, v := range values {
		s, err := e.text(v)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(s)
		if b.Len() > maxText {
			return nil, errTooLong
		}
	}
	return b.String(), nil
}

func length(e *Execution, args []any) (any, error) {
	if n, ok := elements(args[0]); ok {
		return n, nil
	}
	s, err := e.text(args[0])
	return utf8.RuneCountInString(s), err
}

func index(e *Execution, args []any) (any, error) {
	v := args[0]
	for _, key := range args[1:] {
		name, err := e.text(key)
		if err != nil {
			return nil, err
		}
		switch inside := v.(type) {
		case map[string]any:
			v = inside[name]
		case []any:
			v = nil
			if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(inside) {
				v = inside[i]
			}
		default:
			v = nil
		}
	}
	return e.value(v)
}

func toJSON(e *Execution, args []any) (any, error) {
	data, err := plainjson.Marshal(args[0])
	return string(data), err
}

func equal(_ *Execution, all []string) (any, error) {
	return slices.Contains(all[1:], all[0]), nil
}

func differ(_ *Execution, all []string) (any, error) { return all[0] != all[1], nil }

// comparison compares two values: as numbers if both are, otherwise as text.
func comparison(holds func(order int) bool) func(*Execution, []string) (any, error) {
	return func(_ *Execution, all []string) (any, error) {
		a, aIsNumber := decimal(all[0])
		b, bIsNumber := decimal(all[1])
		if aIsNumber && bIsNumber {
			return holds(a.Cmp(b)), nil
		}
		return holds(cmp.Compare(all[0], all[1])), nil
	}
}

// decimal parses a number of reasonable size.
func decimal(s string) (*big.Rat, bool) {
	if s = strings.TrimSpace(s); len(s) > 40 || strings.Trim(s, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func matchText(e *Execution, all []string) (any, error) {
	// Matching a pattern costs far more for each byte than the other functions do.
	if err := e.spend(0, 7*len(all[1])); err != nil {
		return nil, err
	}
	return e.patterns[all[0]].MatchString(all[1]), nil
}

// humanBytes formats a number of bytes with the unit that leaves it below 1024.
func humanBytes(s string) string {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n >= 0 && n < 1<<60) { // includes NaN
		return s
	}
	return humanize.IBytes(uint64(n))
}
