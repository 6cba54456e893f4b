package centercode

import (
	"bytes"
	"encoding/json"
	"html"
	"strings"
	"unicode"

	"fairbridge/pkg/internal/lazyregexp"
)

// maxDescription is the longest description of an error, in characters.
const maxDescription = 1000

// describe finds the words in the body of an error. Centercode's own errors are
// JSON with status and description; in front of it may stand a proxy that
// answers in its own JSON, an HTML page, plain text or nothing.
func describe(body []byte) string {
	body = bytes.TrimSpace(trimBOM(body))
	if text := describeJSON(body); text != "" {
		return text
	}
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	if strings.HasPrefix(text, "<") {
		text = stripHTML(text)
	}
	return text
}

// describeJSON reads the fields that an error's words stand in: Centercode's
// first, then the ones of RFC 9457 and of common gateways.
func describeJSON(body []byte) string {
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	for _, name := range []string{"description", "detail", "message", "error_description", "error", "title"} {
		for _, key := range sortedKeys(fields) {
			if text, ok := fields[key].(string); ok && strings.EqualFold(key, name) && strings.TrimSpace(text) != "" {
				return text
			}
		}
	}
	return ""
}

var (
	hiddenHTML = lazyregexp.New(`(?is)<!--.*?(?:-->|$)|<(?:script|style|template)\b.*?(?:</(?:script|style|template)\s*>|$)`)
	tagHTML    = lazyregexp.New(`(?s)<[^>]*(?:>|$)`)
)

// stripHTML returns the text of a page. It is for a person to read, not for a
// browser to show, so it need not be exact.
func stripHTML(page string) string {
	page = hiddenHTML().ReplaceAllString(page, " ")
	page = tagHTML().ReplaceAllString(page, " ")
	return html.UnescapeString(page)
}

// clip makes text one line without control characters and at most limit
// characters long.
func clip(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return string(runes)
}

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
