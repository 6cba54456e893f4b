package template

import (
	"html"
	"net/url"
	"strings"
)

// table is every function, as docs/mapping.md lists them. The examples are of
// the documented feedback payload (events/feedback.json).
func table() map[string]function {
	one := func(usage, doc, example, yields string, run func(*Execution, []any) (any, error)) function {
		return function{usage: usage, doc: doc, example: example, yields: yields, min: 1, max: 1, run: run}
	}
	compare := func(word, doc, example, yields string, holds func(order int) bool) function {
		return function{
			usage: word + " A B", doc: doc, example: example, yields: yields, min: 2, max: 2,
			run: onTexts(comparison(holds)),
		}
	}
	return map[string]function{
		// Text.
		"firstLine": one("firstLine TEXT", "the first line that is not empty, without surrounding white space",
			`{{ firstLine "\n One \nTwo" }}`, "One", onText(firstLine)),
		"truncate": {
			usage: "truncate COUNT [END] TEXT", min: 2, max: 3, literals: []func(string) error{isCount},
			doc:     "at most COUNT characters (Unicode code points); it never cuts within an emoji or accented letter. END, such as \"…\", marks the cut and counts",
			example: `{{ .text | truncate 12 "…" }}`, yields: "App doesn't…", run: onTexts(truncateText),
		},
		"trim":  one("trim TEXT", "TEXT without surrounding white space", `{{ trim " a " }}`, "a", onText(strings.TrimSpace)),
		"lower": one("lower TEXT", "TEXT in lower case", `{{ .appName | lower }}`, "demo app", onText(strings.ToLower)),
		"upper": one("upper TEXT", "TEXT in upper case", `{{ .appName | upper }}`, "DEMO APP", onText(strings.ToUpper)),
		"replace": {
			usage: "replace OLD NEW TEXT", doc: "TEXT with every OLD replaced by NEW", min: 3, max: 3, run: onTexts(replaceText),
			example: `{{ .rawDeviceName | replace " " "-" }}`, yields: "samsung-gt-i9100t",
		},
		"default": {
			usage: "default OTHER VALUE", doc: "VALUE, or OTHER if VALUE is empty", min: 2, max: 2, run: defaultValue,
			example: `{{ .nickname | default "nobody" }}`, yields: "nobody",
		},
		"print": {
			usage: "print VALUE...", doc: "the values as one text", min: 1, max: -1,
			run:     func(e *Execution, args []any) (any, error) { return e.concat(args, "") },
			example: `{{ print .version "-" .build }}`, yields: "1.0-1",
		},
		"join": {
			usage: "join SEPARATOR LIST", doc: "the elements of a list as one text", min: 2, max: 2, run: joinList,
			example: `{{ join ", " .tags }}`, yields: "ui, landscape",
		},
		"len": one("len VALUE", "how many characters a text has, or elements a list", `{{ len .appName }}`, "8", length),
		"index": {
			usage: "index VALUE KEY...", min: 2, max: -1, run: index,
			doc:     "the field or element with that name or number (from 0), for names that contain a space",
			example: `{{ index . "Your role" }}`, yields: "tester",
		},

		"formFields": {
			usage: "formFields", run: func(e *Execution, _ []any) (any, error) { return e.own, nil },
			doc:     "the fields that your app's feedback form adds to the documented ones, for range",
			example: "{{ range $name, $value := formFields }}{{ $name }} {{ end }}", yields: "Your role nested no tags yes ",
		},

		// Escaping.
		"json": one("json VALUE", "VALUE as JSON", `{{ json .text }}`, `"App doesn't render nicely in landscape"`, toJSON),
		"html": one("html TEXT", "TEXT with < > & ' \" escaped for HTML", `{{ html "a < b" }}`, "a &lt; b", onText(html.EscapeString)),
		"markdown": one("markdown TEXT", "TEXT escaped so that Markdown shows it literally",
			`{{ markdown "*a* [b]" }}`, `\*a\* \[b\]`, onText(escapeMarkdown)),
		"urlquery": one("urlquery TEXT", "TEXT escaped for a URL's query", `{{ urlquery "a b&c" }}`, "a+b%26c", onText(url.QueryEscape)),

		// Numbers, times, addresses.
		"address": one("address TEXT", "the email address in TEXT, bare and trimmed, also from `Name <a@b.example>`. Empty if there is none, or more than one",
			`{{ "Alice <alice@corporation.com> " | address }}`, "alice@corporation.com", onText(address)),
		"humanBytes": one("humanBytes NUMBER", "a number of bytes for people", `{{ humanBytes .filesize }}`, "551 KiB", onText(humanBytes)),
		"date": {
			usage: "date LAYOUT [ZONE-IN [ZONE-OUT]] TIME", min: 2, max: 4, run: onTexts(formatDate),
			literals: []func(string) error{nil, isZone, isZone},
			doc:      "TIME in another format. LAYOUT is Go's (2006-01-02 15:04:05 -0700) or RFC3339. ZONE-IN is the time zone of TIME if it has none (UTC), ZONE-OUT that of the result (ZONE-IN). A text that is not a time is returned unchanged",
			example:  `{{ .timestamp | date "02.01.2006 15:04" "UTC" "Europe/Berlin" }}`, yields: "01.07.2015 19:21",
		},
		"projectId": one("projectId URL", "the project in a TestFairy URL, such as .sessionUrl or .buildUrl",
			`{{ projectId .sessionUrl }}`, "10-demoapp", onText(PathID("projects"))),
		"buildId": one("buildId URL", "the build in such a URL",
			`{{ buildId .sessionUrl }}`, "584120", onText(PathID("builds"))),
		"sessionId": one("sessionId URL", "the session in such a URL",
			`{{ sessionId .sessionUrl }}`, "1", onText(PathID("sessions"))),

		// Decisions.
		"match": {
			usage: "match \"PATTERN\" TEXT", min: 2, max: 2, run: onTexts(matchText), literals: []func(string) error{isPattern}, constant: true,
			doc:     "whether the regular expression (Go's RE2) matches in TEXT",
			example: `{{ match "(?i)landscape|portrait" .text }}`, yields: "true",
		},
		"eq": {
			usage: "eq A B...", doc: "whether A, as text, equals one of the others", min: 2, max: -1, run: onTexts(equal),
			example: `{{ eq .build "1" }}`, yields: "true",
		},
		"ne": {
			usage: "ne A B", doc: "whether A and B differ as text", min: 2, max: 2, run: onTexts(differ),
			example: `{{ ne .build 2 }}`, yields: "true",
		},
		"lt": compare("lt", "whether A is less than B: as numbers if both are, otherwise as text", `{{ lt .build 10 }}`, "true",
			func(order int) bool { return order < 0 }),
		"le": compare("le", "less or equal", `{{ le .build 1 }}`, "true", func(order int) bool { return order <= 0 }),
		"gt": compare("gt", "greater", `{{ gt .build 10 }}`, "false", func(order int) bool { return order > 0 }),
		"ge": compare("ge", "greater or equal", `{{ ge .build 1 }}`, "true", func(order int) bool { return order >= 0 }),
		"and": {
			usage: "and A B...", doc: "the first that is empty or false, otherwise the last", min: 1, max: -1, builtin: true,
			example: `{{ if and .email .text }}both{{ end }}`, yields: "both",
		},
		"or": {
			usage: "or A B...", doc: "the first that is neither empty nor false, otherwise the last", min: 1, max: -1, builtin: true,
			example: `{{ or .deviceName .rawDeviceName }}`, yields: "samsung gt-i9100t",
		},
		"not": {
			usage: "not A", doc: "whether A is empty or false", min: 1, max: 1, builtin: true,
			example: `{{ not .nickname }}`, yields: "true",
		},
	}
}
