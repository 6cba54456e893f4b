package attachment

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const maxURLBytes = 8 << 10

// refusal is the reason why a URL must not be fetched, in words that may be shown to
// anyone.
type refusal string

func (r refusal) Error() string { return string(r) }

// parseURL parses an absolute http or https URL as browsers do (see tidyURL), and refuses
// spellings that two parsers might understand as different hosts. The result is what is
// checked and sent, never the original spelling.
func parseURL(raw string) (*url.URL, error) {
	tidy, err := tidyURL(raw)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(tidy)
	switch {
	case err != nil:
		return nil, parseFault(err)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refusal("it is neither http nor https")
	case u.Opaque != "" || u.Host == "":
		return nil, refusal("it has no host")
	case u.User != nil:
		return nil, refusal("it has a user name")
	case strings.HasSuffix(u.Host, ":"):
		return nil, refusal("it has an empty port")
	}
	u.Host = lowerASCII(u.Host)
	return u, nil
}

// tidyURL does what browsers do before they parse a URL
// (https://url.spec.whatwg.org/#concept-basic-url-parser): it removes surrounding white
// space, line breaks and tabs anywhere, and the fragment, which is never sent; and it
// escapes characters that a URL cannot contain, such as a space. It refuses what browsers
// would treat as a slash, since that can move the end of the host.
func tidyURL(raw string) (string, error) {
	if len(raw) > maxURLBytes {
		return "", refusal(fmt.Sprintf("it is longer than %d bytes", maxURLBytes))
	}
	raw = lineBreaks.Replace(strings.Trim(raw, " \t\r\n"))
	raw, _, _ = strings.Cut(raw, "#")
	place, query, asks := strings.Cut(raw, "?")
	switch {
	case strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", refusal("it has a control character")
	case strings.Contains(place, `\`):
		return "", refusal("it has a backslash")
	}
	place = escapeURL(place, " \"<>`{}^|", true)
	if asks {
		// A signature covers the query as it is, so no more is escaped there than browsers
		// do.
		place += "?" + escapeURL(query, ` "<>'`, false)
	}
	return place, nil
}

var lineBreaks = strings.NewReplacer("\t", "", "\r", "", "\n", "")

// escapeURL escapes everything outside ASCII, the given characters and, if strays, each %
// that does not start an escape. In a host all of that is an error: no host on a list has
// an escape.
func escapeURL(s, set string, strays bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		stray := strays && c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]))
		if c >= 0x80 || stray || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// parseFault removes the URL that url.Error quotes: its query may be a secret.
func parseFault(err error) error {
	if quoted, ok := errors.AsType[*url.Error](err); ok {
		return quoted.Err
	}
	return err
}

// checkHostName accepts a DNS name in lower case, and nothing that a resolver may treat as
// an address: "2130706433", "0x7f.1" and "127.1" end in a number
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func checkHostName(host string) error {
	if len(host) > 253 {
		return refusal("its host name is too long")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return refusal("its host is not a plain host name")
		}
	}
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		return refusal("its host is a network address, not a host name")
	}
	return nil
}

// lowerASCII leaves other characters alone: strings.ToLower would turn the Kelvin sign into
// a k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
