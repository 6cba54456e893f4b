package centercode

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"

	"fairbridge/pkg/internal/lazyregexp"
)

// mark stands where something was taken out. It holds nothing that the patterns
// below stop at, so that redacting twice changes nothing.
const mark = "REDACTED"

// minLiteralKey is the length from which a key is also looked for by its value.
// A shorter one is not a secret, and would take words out of every text.
const minLiteralKey = 6

var (
	userinfo = lazyregexp.New(`://[^\s/?#@"'<>]+@`)
	urlQuery = lazyregexp.New(`(?i)([a-z][a-z0-9+.\-]*://[^\s"'<>?]*)\?[^\s"'<>]*`)
	anyQuery = lazyregexp.New(`\?[\w.~%\[\]\-]+=[^\s"'<>]*`)
	// The name, an assignment in plain text, JSON or percent-encoding (also
	// encoded more than once), and the value up to where one must end.
	keyValue = lazyregexp.New(`(?i)(api[-_ ]?key["'\\]*(?:\s*[:=]\s*|%(?:25)*3[ad])["'\\]*)[^\s"'<>&]+`)
)

// Redact takes out of text the value of every apiKey, and of every URL its query
// and its user and password. It is for any text that may quote a URL: an error,
// a log line, a dead letter's description.
func Redact(s string) string {
	s = urlQuery().ReplaceAllString(s, "${1}?"+mark)
	s = anyQuery().ReplaceAllString(s, "?"+mark)
	s = keyValue().ReplaceAllString(s, "${1}"+mark)
	return userinfo().ReplaceAllString(s, "://")
}

// secret is an API key as it may be echoed: in any case, escaped for a URL, HTML
// or JSON, once or more, and broken over lines.
type secret struct {
	value string
	// pattern matches every spelling; nil if the key is too short to be looked for.
	pattern func() *regexp.Regexp
}

func newSecret(key string) *secret {
	s := &secret{value: key}
	if len(key) >= minLiteralKey {
		s.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(spellings(key)) })
	}
	return s
}

// redact does as [Redact] and also takes out the key itself, wherever and however
// a server may have echoed it.
func (s *secret) redact(text string) string {
	if s.pattern != nil {
		text = s.pattern().ReplaceAllLiteralString(text, mark)
	}
	return Redact(text)
}

// in reports whether text shows the key.
func (s *secret) in(text string) bool {
	return len(text) >= minLiteralKey && s.pattern != nil && s.pattern().MatchString(text)
}

// longest is the length in bytes from which no spelling's beginning is left when
// so much is cut off a text's end.
func (s *secret) longest() int { return maxSpelling * len(s.value) }

// maxSpelling is that of one byte of a key: "&amp;#x002b;" with a line break.
const maxSpelling = 16

// gap is what may stand between a key's characters: space, line breaks in any
// escaping, invisible characters, tags.
const gap = `(?:[\s\x00\pZ\p{Cf}]|=\r?\n|\\+[rnt]|\\+u000[ad9]|%(?:25)*0[ad9]|&#(?:x0*[ad9]|10|13|9);|<[^<>]*>)*`

// spellings is a regular expression of the ways in which a key may stand in a
// text.
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

// entities are HTML's names of what a key may hold besides letters and digits.
var entities = map[rune]string{
	'&': "amp", '<': "lt", '>': "gt", '"': "quot", '\'': "apos", '+': "plus", '/': "sol", '=': "equals", '_': "(?:lowbar|underbar)",
	'-': "(?:hyphen|dash)", '.': "period", ':': "colon", ';': "semi", ',': "comma", '@': "commat", '$': "dollar", '%': "percnt",
	'!': "excl", '*': "(?:ast|midast)", '#': "num", '?': "quest", '(': "lpar", ')': "rpar", '[': "(?:lsqb|lbrack)", ']': "(?:rsqb|rbrack)",
	'{': "(?:lcub|lbrace)", '}': "(?:rcub|rbrace)", '|': "(?:verbar|vert)", '\\': "bsol", '^': "hat", '`': "(?:grave|DiacriticalGrave)",
}

// redactError returns err in a form that does not show the key or a query
// string. errors.Is sees through it.
func (s *secret) redactError(err error) error {
	// *url.Error quotes the whole URL; what it wraps says the rest.
	for ue := (*url.Error)(nil); errors.As(err, &ue) && ue.Err != nil && err != ue.Err; {
		err = ue.Err
	}
	if text := s.redact(err.Error()); text != err.Error() {
		return &redacted{text: text, err: err}
	}
	return err
}

// redacted stands for an error whose own text must not be seen. It has neither
// Unwrap nor As, which would hand that text out.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
