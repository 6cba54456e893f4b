package testfairy

import (
	"fmt"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// normalise returns a copy of JSON text in which every string contains only characters that
// SQS accepts in a message body (#x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF:
// SQS developer guide, message quotas) and that strict JSON accepts in a string. It reads
// the text once.
//
// It does not check the syntax: text that is not JSON stays invalid, and the decoder
// reports what is wrong. Escapes are left unchanged, even those of lone surrogates: they
// are plain ASCII on the wire.
func normalise(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text))
	copied := 0 // text[:copied] is in out
	depth := 0
	inString := false
	for i := 0; i < len(text); {
		c := text[i]
		if !inString {
			switch c {
			case '"':
				inString = true
			case '{', '[':
				if depth++; depth > maxDepth {
					return nil, &SyntaxError{Offset: int64(i), TooDeep: true, Problem: fmt.Sprintf("nested deeper than %d levels", maxDepth)}
				}
			case '}', ']':
				depth--
			}
			i++
			continue
		}
		switch {
		case c == '\\':
			i += 2 // the next byte belongs to the escape, even a quote
		case c == '"':
			inString = false
			i++
		case c >= ' ' && c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(text[i:]) // RuneError, 1 for an invalid byte
			if mustEscape(r, size) {
				out = append(out, text[copied:i]...)
				out = append(out, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
				copied = i + size
			}
			i += size
		}
	}
	return append(out, text[copied:]...), nil
}

// mustEscape reports whether a rune of a string has to be escaped: a control character,
// U+FFFE, U+FFFF, or a byte that is not UTF-8.
func mustEscape(r rune, size int) bool {
	return r < ' ' || r == '\uFFFE' || r == '\uFFFF' || r == utf8.RuneError && size == 1
}
