package centercode

import (
	"bytes"
	"encoding/json"
	"html"
	"slices"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/internal/printable"
)

// maxDescription is the longest description of an error, in characters.
const maxDescription = 1000

// maxForeign is how much is quoted of a text that is not in a field made for it:
// it may be the request itself, echoed, with an address and a tester's words.
const maxForeign = 200

// describe finds the words in the body of an error, and nothing else of it.
// Centercode's own errors are JSON with status and description; in front of it
// may stand a proxy that answers in its own JSON, an HTML page, plain text or
// nothing. What is cut short holds no part of the key: it is taken out before.
func (x *call) describe(body []byte) string {
	body = bytes.TrimSpace(trimBOM(body))
	var root any
	if json.Unmarshal(body, &root) == nil {
		return x.describeJSON(root)
	}
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	switch {
	case strings.HasPrefix(text, "<"):
		text = stripHTML(text)
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "something that begins as JSON and cannot be read"
	}
	return x.clip(text, maxForeign)
}

// wordNames are the fields that an error's words stand in: Centercode's first,
// then those of RFC 9457 and of common gateways.
var wordNames = []string{"description", "detail", "message", "errmsg", "errormessage", "errordescription", "error", "errors", "fault", "reason", "title"}

// wordPlaces are the fields further down which they may stand. Elsewhere it may be
// the ticket itself that has a description.
var wordPlaces = []string{"error", "errors", "fault", "result", "response", "meta", "problem"}

// describeJSON reads the words of the outermost field that has some, else where
// the answer has values, but none of those.
func (x *call) describeJSON(root any) string {
	if text, ok := root.(string); ok {
		return x.clip(text, maxForeign)
	}
	level := []any{root}
	for range 3 { // {"errors": [{"description": "..."}]}
		var next []any
		var all []string
		for _, v := range level {
			switch v := v.(type) {
			case []any:
				next = append(next, v...)
			case map[string]any:
				if text := words(v); text != "" {
					all = append(all, text)
				}
				for _, key := range sortedKeys(v) {
					if slices.Contains(wordPlaces, normalName(key)) {
						next = append(next, v[key])
					}
				}
			}
		}
		if len(all) > 0 {
			return strings.Join(all, "; ")
		}
		level = next
	}
	if keys := keyPaths(root); len(keys) > 0 {
		return "an answer with the keys " + strings.Join(keys, ", ")
	}
	return ""
}

// words are what an object says in the first of its fields that says something:
// a text, or a list of some.
func words(fields map[string]any) string {
	for _, name := range wordNames {
		for _, key := range sortedKeys(fields) {
			if normalName(key) != name {
				continue
			}
			list, ok := fields[key].([]any)
			if !ok {
				list = []any{fields[key]}
			}
			var texts []string
			for _, v := range list {
				if text, ok := v.(string); ok && strings.TrimSpace(text) != "" {
					texts = append(texts, text)
				}
			}
			if len(texts) > 0 {
				return strings.Join(texts, "; ")
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

// oneLine makes text one line.
func oneLine(text string) string { return strings.Join(strings.Fields(printable.Line(text)), " ") }
