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

// maxDescription is the maximum length of an error's description in characters.
const maxDescription = 1000

// maxForeign is how much is quoted of text that does not come from a field for messages: it
// may be the echoed request, with an email address and a tester's words.
const maxForeign = 200

// describe extracts the message from the body of an error, and nothing else. Centercode's
// own errors are JSON with status and description; a proxy in front of it may answer in its
// own JSON, with an HTML page, plain text or nothing. The key is redacted before the text
// is cut, so that no part of it remains.
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
		return "an answer that starts like JSON but cannot be parsed"
	}
	return x.clip(text, maxForeign)
}

// wordNames are the fields for messages: Centercode's first, then those of RFC 9457 and of
// common gateways.
var wordNames = []string{"description", "detail", "message", "errmsg", "errormessage", "errordescription", "error", "errors", "fault", "reason", "title"}

// wordPlaces are the objects in which such fields count as messages. In any other, a
// description may be the ticket's own.
var wordPlaces = []string{"error", "errors", "fault", "result", "response", "meta", "problem"}

// describeJSON returns the message of the outermost field that has one. Without any, it
// lists the answer's keys, but no values.
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

// words returns an object's message: the text, or list of texts, in the first field that
// has any.
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

// stripHTML returns the text of a page. It is for people and not for a browser, so it need
// not be exact.
func stripHTML(page string) string {
	page = hiddenHTML().ReplaceAllString(page, " ")
	page = tagHTML().ReplaceAllString(page, " ")
	return html.UnescapeString(page)
}

// oneLine makes text one line.
func oneLine(text string) string { return strings.Join(strings.Fields(printable.Line(text)), " ") }
