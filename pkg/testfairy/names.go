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

// FieldNames returns the names of a payload's fields in their order, without
// their values, for a person who wants to know which payload it was. It gets as
// far as it can in one that does not decode: to the fault, to 50 names, and of a
// longer name to 64 bytes.
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
		// Of the fault's own field the name stays.
		if decoder.Decode(new(json.RawMessage)) != nil {
			break
		}
	}
	return names
}
