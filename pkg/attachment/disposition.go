package attachment

import (
	"cmp"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// dispositionName returns the file name in a Content-Disposition, or "". Besides what RFC
// 6266 allows, it reads what servers really send: names without quotes, in Latin-1, and in
// RFC 2047's encoding for mail.
func dispositionName(header string) string {
	plain, extended := scanDisposition(header)
	if name := decodeExtended(extended); name != "" {
		return name
	}
	if _, params, err := mime.ParseMediaType(header); err == nil {
		plain = cmp.Or(params["filename"], plain)
	}
	return decodeName(plain)
}

// scanDisposition finds the values of filename and filename* in a malformed header. Of
// several it takes the first.
func scanDisposition(header string) (plain, extended string) {
	for rest := header; rest != ""; {
		var name, value string
		name, rest = cutAtAny(rest, ";=")
		if strings.HasPrefix(rest, "=") {
			value, rest = scanValue(strings.TrimLeft(rest[1:], " \t"))
		}
		rest = strings.TrimPrefix(rest, ";")
		switch lowerASCII(strings.TrimSpace(name)) {
		case "filename":
			plain = cmp.Or(plain, value)
		case "filename*":
			extended = cmp.Or(extended, value)
		}
	}
	return plain, extended
}

// scanValue reads a parameter's value, quoted or not, and returns what follows it.
func scanValue(s string) (value, rest string) {
	quoted, ok := strings.CutPrefix(s, `"`)
	if !ok {
		value, rest = cutAtAny(s, ";")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch c := quoted[i]; {
		case c == '"':
			_, rest = cutAtAny(quoted[i+1:], ";")
			return b.String(), rest
		case c == '\\' && i+1 < len(quoted) && strings.IndexByte(`"\`, quoted[i+1]) >= 0:
			i++
			b.WriteByte(quoted[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "" // truncated: what is there may not be the whole name
}

// cutAtAny cuts s before the first of chars.
func cutAtAny(s, chars string) (before, rest string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// decodeName decodes a name from a header or, unescaped, from a URL: RFC 2047 encoded
// words, UTF-8, or Latin-1. A name in an unknown charset gives "": half its letters would
// be wrong, and its extension lost.
func decodeName(name string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(name)
	if err != nil {
		return ""
	}
	return fromLatin1(decoded)
}

// decodeExtended reads charset'language'percent-encoded (RFC 8187, 3.2). Go's mime
// knows UTF-8 only, older servers send ISO-8859-1.
func decodeExtended(value string) string {
	charset, rest, _ := strings.Cut(value, "'")
	_, escaped, ok := strings.Cut(rest, "'")
	name, err := url.PathUnescape(escaped)
	if !ok || err != nil {
		return ""
	}
	switch lowerASCII(charset) {
	case "utf-8", "iso-8859-1", "us-ascii", "windows-1252":
		return fromLatin1(name)
	}
	return ""
}

// fromLatin1 returns s as UTF-8; whatever is not UTF-8 is assumed to be Latin-1.
func fromLatin1(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
