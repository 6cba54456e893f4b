package testfairy

import (
	"encoding/json"
	"errors"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A check returns what is wrong with a field's value, or "". The value is never null.
type check func(value any) (problem string)

type fieldCheck struct {
	field string
	check check
}

// checks has the documented fields of each known kind. Any of them may be missing or null;
// other fields (an app's own) may contain anything.
var checks = map[Kind][]fieldCheck{
	KindFeedback: withBuildChecks(
		fieldCheck{"buildUrl", checkURL},
		fieldCheck{"sessionUrl", checkURL},
		fieldCheck{"screenshotUrl", checkURL},
		fieldCheck{"correlationId", checkText},
		fieldCheck{"email", checkEmail},
		fieldCheck{"rawDeviceName", checkText},
		fieldCheck{"ipAddress", checkText},
		fieldCheck{"text", checkText},
	),
	KindCrash: withBuildChecks(
		fieldCheck{"buildUrl", checkURL},
		fieldCheck{"email", checkEmail},
		fieldCheck{"deviceName", checkText},
		fieldCheck{"rawDeviceName", checkText},
		fieldCheck{"crashMessage", checkText},
		fieldCheck{"ipAddress", checkText},
	),
	KindDownload: withBuildChecks(
		fieldCheck{"buildUrl", checkURL},
		fieldCheck{"testerEmail", checkEmail},
		fieldCheck{"referer", checkText}, // set by a browser: any text
		fieldCheck{"platform", checkText},
		fieldCheck{"buildId", checkText},
		fieldCheck{"ipAddress", checkText},
	),
	KindUpload: withBuildChecks(
		fieldCheck{"communityUrl", checkURL},
		fieldCheck{"platform", checkText},
		fieldCheck{"buildId", checkText},
		fieldCheck{"landingPageUrl", checkURL},
		fieldCheck{"landingPageBuildUrl", checkURL},
		fieldCheck{"appUrl", checkURL},
		fieldCheck{"changeLog", checkText},
	),
	KindNewUDID: {
		{"timestamp", checkText},
		{"udid", checkText},
		{"device", checkText},
		{"email", checkEmail},
		{"platform", checkText},
	},
}

// withBuildChecks prepends the checks of the fields that every kind has.
func withBuildChecks(own ...fieldCheck) []fieldCheck {
	return slices.Concat([]fieldCheck{
		{"timestamp", checkText},
		{"version", checkText},
		{"build", checkText}, // a number in the samples; an iOS build can be "1.2.3"
		{"appName", checkText},
		{"filesize", checkNumber},
		{"iconUrl", checkURL},
	}, own)
}

// Oddity is a documented field whose value is not as TestFairy documents it. It quotes no
// value, so it may be logged and sent in an answer.
type Oddity struct {
	// Field is the field's name in the payload.
	Field string
	// Problem completes a sentence that starts with the field's name.
	Problem string
}

// Odd returns what is odd about the documented fields of a known kind, at most one oddity
// for each field; other events have none. An oddity is not a reason to refuse an event,
// since TestFairy may never send it again: the mapping decides whether it matters.
func (e Event) Odd() []Oddity {
	var odd []Oddity
	for _, c := range checks[e.Kind] {
		value := e.Fields[c.field]
		if value == nil { // missing or null
			continue
		}
		if problem := c.check(value); problem != "" {
			odd = append(odd, Oddity{Field: c.field, Problem: problem})
		}
	}
	if e.Kind == KindFeedback && e.blank("text") && e.blank("screenshotUrl") {
		odd = append(odd, Oddity{Field: "text", Problem: "is missing, and so is screenshotUrl"})
	}
	return odd
}

// blank reports whether a field is missing, null or only white space. A field of a wrong
// type is not blank: it is reported as such.
func (e Event) blank(field string) bool {
	value := e.Fields[field]
	if value == nil {
		return true
	}
	text, ok := value.(string)
	return ok && strings.TrimSpace(text) == ""
}

func checkText(value any) string {
	switch value.(type) {
	case string, json.Number:
		return ""
	}
	return "is not text"
}

// checkNumber accepts a number, or a string that contains one or nothing.
func checkNumber(value any) string {
	switch value := value.(type) {
	case json.Number:
		return ""
	case string:
		if text := strings.TrimSpace(value); text == "" || isDecimal(text) {
			return ""
		}
	}
	return "is not a number"
}

// isDecimal reports whether text is a decimal number of any size. ParseFloat alone would
// also accept "inf", "nan" and hexadecimal.
func isDecimal(text string) bool {
	if strings.Trim(text, "+-.0123456789eE") != "" {
		return false
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// checkURL accepts an absolute http or https URL, or an empty string. Which hosts files may
// come from is decided where files are fetched.
func checkURL(value any) string {
	const problem = "is not an absolute http or https URL"
	text, ok := value.(string)
	if !ok {
		return problem
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return problem
	}
	return ""
}

// checkEmail accepts one bare address (RFC 5322 addr-spec), or an empty string: an app may
// hide its email field.
func checkEmail(value any) string {
	const problem = "is not one bare email address"
	text, ok := value.(string)
	if !ok {
		return problem
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	parsed, err := mail.ParseAddress(text)
	// Formatted again, a bare address is itself in angle brackets. ParseAddress also
	// accepts a name, a comment, brackets, and a group of one.
	if err != nil || (&mail.Address{Address: parsed.Address}).String() != "<"+text+">" {
		return problem
	}
	return ""
}
