package template

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	// Time zones must be known on every machine, and Lambda has no zone files. If there are
	// any, Go prefers them.
	_ "time/tzdata"
	"unicode"
)

// formatDate parses a time in any form that TestFairy or FairBridge writes, and formats it
// with the layout. A text that is not a time is left unchanged, with a note for the check
// command: a ticket with an odd date is better than none.
func formatDate(e *Execution, all []string) (any, error) {
	layout, zones, value := all[0], all[1:len(all)-1], strings.TrimSpace(all[len(all)-1])
	if layout == "RFC3339" {
		layout = time.RFC3339
	}
	if len(layout) > 1000 {
		return nil, errTooLong
	}
	if err := e.spend(500*len(zones), 0); err != nil { // a zone is loaded again each time
		return nil, err
	}
	in, out := time.UTC, time.UTC
	for i, name := range zones {
		location, err := zone(name)
		if err != nil {
			return nil, err
		}
		if out = location; i == 0 {
			in = location
		}
	}
	t, ok := readTime(value, in)
	if !ok {
		if value != "" {
			e.notes = append(e.notes, "date was given what is not a time")
		}
		return all[len(all)-1], nil
	}
	return t.In(out).Format(layout), nil
}

// readTime tries the formats of a time, the documented one first.
func readTime(s string, in *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, in); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return time.Time{}, false
	case len(s) == 10: // seconds since 1970, until the year 2286
		return time.Unix(n, 0), true
	case len(s) == 13:
		return time.UnixMilli(n), true
	}
	return time.Time{}, false
}

func zone(name string) (*time.Location, error) {
	// "Local" and "" would differ from machine to machine.
	if name == "" || name == "Local" {
		return nil, errors.New("needs the name of a time zone, such as Europe/Berlin")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, errors.New("got an unknown time zone")
	}
	return location, nil
}

func isZone(name string) error {
	_, err := zone(name)
	return err
}

// PathID returns a function that finds the id after a word in the path of a TestFairy URL,
// /projects/{id}/builds/{id}/sessions/{id}, escaped for another URL's path.
func PathID(word string) func(string) string {
	return func(raw string) string {
		u, err := url.Parse(strings.TrimSpace(raw))
		if err != nil {
			return ""
		}
		segments := strings.Split(u.EscapedPath(), "/")
		for i, segment := range segments[:len(segments)-1] {
			if segment != word {
				continue
			}
			id, err := url.PathUnescape(segments[i+1])
			if err != nil || id == "." || id == ".." || strings.ContainsAny(id, `/\`) ||
				strings.ContainsFunc(id, unicode.IsControl) {
				return ""
			}
			return url.PathEscape(id)
		}
		return ""
	}
}

// escapeMarkdown puts a backslash before everything that CommonMark or its common
// extensions could treat as markup (https://spec.commonmark.org/0.31.2/#backslash-escapes).
func escapeMarkdown(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		text := strings.TrimLeft(line, " \t")
		b.WriteString(line[:len(line)-len(text)])
		// A number with a dot or bracket, or a sign, starts a list or a heading.
		marker := strings.TrimLeft(text, "0123456789")
		digits := len(text) - len(marker)
		b.WriteString(text[:digits])
		if marker != "" && (digits > 0 && strings.ContainsRune(".)", rune(marker[0])) ||
			digits == 0 && strings.ContainsRune("#+-=", rune(marker[0]))) {
			b.WriteByte('\\')
			b.WriteByte(marker[0])
			marker = marker[1:]
		}
		for i := range len(marker) {
			if strings.IndexByte("\\`*_[]<>|~&$", marker[i]) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(marker[i])
		}
	}
	return b.String()
}
