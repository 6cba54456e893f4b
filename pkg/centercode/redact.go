package centercode

import (
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"

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

// redactKey does as Redact and also takes out the key itself, wherever and
// however a server may have echoed it.
func redactKey(s, key string) string {
	if len(key) >= minLiteralKey {
		for _, spelling := range spellings(key) {
			s = strings.ReplaceAll(s, spelling, mark)
		}
	}
	return Redact(s)
}

// spellings returns the ways in which a key may stand in a text, longest first,
// so that a short one does not break a longer one apart.
func spellings(key string) []string {
	quoted, _ := json.Marshal(key) // a string always marshals
	all := []string{
		key,
		url.QueryEscape(key),
		url.PathEscape(key),
		html.EscapeString(key),
		string(quoted[1 : len(quoted)-1]),
	}
	for _, s := range all[1:3] {
		all = append(all, lowerHex(s), url.QueryEscape(s))
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

var percentEncoded = lazyregexp.New(`%[0-9A-F]{2}`)

func lowerHex(s string) string { return percentEncoded().ReplaceAllStringFunc(s, strings.ToLower) }
