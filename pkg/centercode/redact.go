package centercode

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"fairbridge/pkg/internal/lazyregexp"
)

// mark replaces redacted text. None of the patterns below match it, so that redacting twice
// changes nothing.
const mark = "REDACTED"

// minLiteralKey is the length from which a key is also searched for by value. A shorter key
// is not a secret, and would remove words from any text.
const minLiteralKey = 6

var (
	userinfo = lazyregexp.New(`://[^\s/?#@"'<>]+@`)
	urlQuery = lazyregexp.New(`(?i)([a-z][a-z0-9+.\-]*://[^\s"'<>?]*)\?[^\s"'<>]*`)
	anyQuery = lazyregexp.New(`\?[\w.~%\[\]\-]+=[^\s"'<>]*`)
	// The name, an assignment in plain text, JSON or percent-encoding (including repeated
	// encoding), and the value.
	keyValue = lazyregexp.New(`(?i)(api[-_ ]?key["'\\]*(?:\s*[:=]\s*|%(?:25)*3[ad])["'\\]*)[^\s"'<>&]+`)
)

// Redact removes from text the value of every apiKey, and from every URL the query, user
// and password. Use it for any text that may quote a URL: an error, a log line, a dead
// letter's description.
func Redact(s string) string {
	s = urlQuery().ReplaceAllString(s, "${1}?"+mark)
	s = anyQuery().ReplaceAllString(s, "?"+mark)
	s = keyValue().ReplaceAllString(s, "${1}"+mark)
	return userinfo().ReplaceAllString(s, "://")
}

// secret matches an API key however it is echoed: in any case, escaped for a URL, HTML or
// JSON, once or repeatedly, and broken over lines.
type secret struct {
	value string
	// pattern matches every spelling; nil if the key is too short.
	pattern func() *regexp.Regexp
	// ascii means that the key is ASCII: no other character is one of it in another case.
	ascii bool
}

func newSecret(key string) *secret {
	s := &secret{value: key, ascii: !strings.ContainsFunc(key, func(r rune) bool { return r >= utf8.RuneSelf })}
	if len(key) >= minLiteralKey {
		s.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(spellings(key)) })
	}
	return s
}

// redact does what [Redact] does, and also removes the key itself, wherever and however a
// server has echoed it.
func (s *secret) redact(text string) string {
	if plain(text) && !strings.Contains(text, ":") && !s.in(text) {
		return text // it has no URL and no assignment
	}
	if s.pattern != nil {
		text = s.pattern().ReplaceAllLiteralString(text, mark)
	}
	return Redact(text)
}

// in reports whether text contains the key.
func (s *secret) in(text string) bool {
	switch {
	case len(text) < minLiteralKey, s.pattern == nil:
		return false
	case s.ascii && plain(text):
		return strings.Contains(strings.ToLower(text), strings.ToLower(s.value))
	}
	return s.pattern().MatchString(text)
}

// plain reports whether no character of text begins an escape or may separate those of a key.
// Such text contains a key as it is, or not at all. Most ids, endpoints and names of fields
// are plain, and a normal answer is then read without the regular expressions, which take
// more time and memory than all the rest of it.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_./:[]", c) >= 0) {
			return false
		}
	}
	return true
}

// longest returns how many bytes to cut off a text's end to be sure to remove the beginning
// of any spelling.
func (s *secret) longest() int { return maxSpelling * len(s.value) }

// maxSpelling is the longest spelling of one byte of a key: "&amp;#x002b;" with a line
// break.
const maxSpelling = 16

// gap is what may separate a key's characters: white space, line breaks in any escaping,
// invisible characters, tags.
const gap = `(?:[\s\x00\pZ\p{Cf}]|=\r?\n|\\+[rnt]|\\+u000[ad9]|%(?:25)*0[ad9]|&#(?:x0*[ad9]|10|13|9);|<[^<>]*>)*`

// spellings returns a regular expression that matches any spelling of the key.
func spellings(key string) string {
	var b strings.Builder
	b.WriteString("(?i)")
	for i, r := range key {
		if i > 0 {
			b.WriteString(gap)
		}
		percent := ""
		for _, c := range []byte(string(r)) {
			percent += fmt.Sprintf("%%(?:25)*%02x", c)
		}
		units := ""
		for _, u := range utf16.Encode([]rune{r}) {
			units += fmt.Sprintf(`\\+u%04x`, u)
		}
		fmt.Fprintf(&b, `(?:\\*%s|%s|%s|\\+x%02x|&(?:amp;)*#0*%d;?|&(?:amp;)*#x0*%x;?`,
			regexp.QuoteMeta(string(r)), percent, units, r, r, r)
		if name := entities[r]; name != "" {
			b.WriteString("|&(?:amp;)*" + name + ";")
		}
		b.WriteString(")")
	}
	return b.String()
}

// entities are the HTML names of characters besides letters and digits that a key may
// contain.
var entities = map[rune]string{
	'&': "amp", '<': "lt", '>': "gt", '"': "quot", '\'': "apos", '+': "plus", '/': "sol", '=': "equals", '_': "(?:lowbar|underbar)",
	'-': "(?:hyphen|dash)", '.': "period", ':': "colon", ';': "semi", ',': "comma", '@': "commat", '$': "dollar", '%': "percnt",
	'!': "excl", '*': "(?:ast|midast)", '#': "num", '?': "quest", '(': "lpar", ')': "rpar", '[': "(?:lsqb|lbrack)", ']': "(?:rsqb|rbrack)",
	'{': "(?:lcub|lbrace)", '}': "(?:rcub|rbrace)", '|': "(?:verbar|vert)", '\\': "bsol", '^': "hat", '`': "(?:grave|DiacriticalGrave)",
}

// redactError returns err without the key and query strings. errors.Is still works on it.
func (s *secret) redactError(err error) error {
	// *url.Error quotes the whole URL; the error that it wraps has the rest.
	for ue := (*url.Error)(nil); errors.As(err, &ue) && ue.Err != nil && err != ue.Err; {
		err = ue.Err
	}
	if text := s.redact(err.Error()); text != err.Error() {
		return &redacted{text: text, err: err}
	}
	return err
}

// redacted hides an error's text. It has neither Unwrap nor As, which would expose it.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
