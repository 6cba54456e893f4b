// Package address finds an email address in what people have typed.
package address

import (
	"strings"
	"unicode"
)

// In says whether a text has an email address in it, whole: in upper or lower case,
// with a name before it, between brackets or among others.
func In(text, address string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isPart(r) }) {
		if strings.EqualFold(strings.Trim(word, ".'"), address) {
			return true
		}
	}
	return false
}

// Valid says whether a text is one email address and nothing else.
func Valid(text string) bool {
	name, domain, ok := strings.Cut(text, "@")
	return ok && name != "" && domain != "" && strings.IndexFunc(text, func(r rune) bool { return !isPart(r) }) < 0 && strings.Trim(text, ".'") == text
}

// isPart says whether an address can have a character in it, as people write them
// without quotes.
func isPart(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("@.!#$%&'*+-/=?^_`{|}~", r)
}
