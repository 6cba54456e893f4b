// Package address finds email addresses in text that people have typed.
package address

import (
	"strings"
	"unicode"
)

// In reports whether text contains a whole email address: in upper or lower case, after a
// name, in brackets, or among others.
func In(text, address string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isPart(r) }) {
		if strings.EqualFold(strings.Trim(word, ".'"), address) {
			return true
		}
	}
	return false
}

// Valid reports whether text is one email address and nothing else.
func Valid(text string) bool {
	name, domain, ok := strings.Cut(text, "@")
	return ok && name != "" && domain != "" && strings.IndexFunc(text, func(r rune) bool { return !isPart(r) }) < 0 && strings.Trim(text, ".'") == text
}

// isPart reports whether r can be part of an address, as people write them without quotes.
func isPart(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("@.!#$%&'*+-/=?^_`{|}~", r)
}
