// Package plainjson writes JSON as people would, without Go's escapes for HTML.
package plainjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Marshal returns v as compact JSON without escapes for HTML. Every broken byte
// of a text is replaced, so that the result is always valid.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
