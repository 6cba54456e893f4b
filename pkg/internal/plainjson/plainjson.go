// Package plainjson writes JSON without Go's HTML escapes.
package plainjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Marshal returns v as compact JSON without HTML escapes. Invalid UTF-8 in strings is
// replaced, so the result is always valid.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
