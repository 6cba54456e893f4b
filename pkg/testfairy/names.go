package testfairy

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	maxNames      = 50
	maxNameLength = 64 // bytes
)

// FieldNames returns the names of a payload's fields in their order, without their values,
// for a person who wants to identify the payload. If it does not decode, the names up to
// the fault are returned. There are at most 50, each cut to 64 bytes.
func FieldNames(body []byte) []string {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, byteOrderMark)))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	var names []string
	for len(names) < maxNames && decoder.More() {
		name, err := decoder.Token()
		text, ok := name.(string)
		if err != nil || !ok {
			break
		}
		names = append(names, strings.ToValidUTF8(text[:min(len(text), maxNameLength)], ""))
		// The name of the faulty field is included.
		if decoder.Decode(new(json.RawMessage)) != nil {
			break
		}
	}
	return names
}
