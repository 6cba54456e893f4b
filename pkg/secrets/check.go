package secrets

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// MaxBytes is the maximum size of a value: that of an SSM parameter of the standard tier.
// See
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
const MaxBytes = 4096

// Check returns the value to store for a secret: without surrounding white space, and for
// [WebhookToken] with one token a line. No error contains the value.
func Check(name, value string) (string, error) {
	value = strings.TrimSpace(value)
	lines := strings.Split(value, "\n")
	if name == WebhookToken {
		lines = Tokens(value)
		value = strings.Join(lines, "\n")
	}
	isControl := func(line string) bool { return strings.ContainsFunc(line, unicode.IsControl) }
	switch {
	case value == "":
		return "", fmt.Errorf("the value of %s is empty", name)
	case len(value) > MaxBytes:
		return "", fmt.Errorf("the value of %s is longer than %d bytes", name, MaxBytes)
	case name == WebhookToken && len(lines) > 2:
		return "", fmt.Errorf("%s may have two lines, the new token and the previous one; this value has %d", name, len(lines))
	case name != WebhookToken && len(lines) > 1:
		return "", fmt.Errorf("the value of %s must be one line; this one has %d", name, len(lines))
	case slices.ContainsFunc(lines, isControl):
		return "", fmt.Errorf("the value of %s contains a control character", name)
	}
	return value, nil
}

// Odd returns what a value has that keys and tokens do not have, but typing mistakes do. It
// can be stored nevertheless, since its issuer may allow that.
func Odd(value string) (odd []string) {
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) && r != '\n' }) {
		odd = append(odd, "a space")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII && !unicode.IsSpace(r) }) {
		odd = append(odd, "a character that is not ASCII")
	}
	return odd
}
