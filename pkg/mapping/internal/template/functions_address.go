package template

import (
	"net/mail"
	"strings"
)

// address returns the email address in s, or "" if s contains none, or more than one. It
// understands what people and apps write around an address, but does not guess: of "jo.
// smith@b.example", where a keyboard inserted the space, the end would be another person's
// address.
func address(s string) string {
	s = strings.TrimSpace(s)
	if found := bareAddress(s); found != "" {
		return found
	}
	if before, inside, ok := strings.Cut(s, "<"); ok {
		inside, after, closed := strings.Cut(inside, ">")
		found := bareAddress(inside)
		// A name may contain anything except a second address.
		if closed && !strings.Contains(strings.ReplaceAll(before+after, found, ""), "@") {
			return found
		}
		return ""
	}
	if scheme, rest, ok := strings.Cut(s, ":"); ok && strings.EqualFold(scheme, "mailto") {
		s, _, _ = strings.Cut(rest, "?")
	}
	return bareAddress(strings.TrimRight(s, ".,; "))
}

// bareAddress returns the one address that s is, with or without a display name (RFC 5322,
// 3.4), or "". An address that needs quotes, or whose host is not a domain, does not count:
// no account has one.
func bareAddress(s string) string {
	parsed, err := mail.ParseAddress(s)
	if err != nil || len(parsed.Address) > 254 { // RFC 5321, 4.5.3.1.3
		return ""
	}
	a := parsed.Address
	at := strings.LastIndexByte(a, '@')
	if (&mail.Address{Address: a}).String() != "<"+a+">" || at > 64 || !strings.Contains(a[at+1:], ".") {
		return ""
	}
	for label := range strings.SplitSeq(a[at+1:], ".") {
		if label != strings.Trim(label, "-") || strings.ContainsFunc(label, notInDomain) || label == "" {
			return ""
		}
	}
	return a
}

// notInDomain reports whether r cannot be part of a domain name. Beyond ASCII nearly
// everything can (RFC 5890), and is left to the mail system.
func notInDomain(r rune) bool {
	return r < 0x80 && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
