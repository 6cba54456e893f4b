package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
)

// decodeAnswer decodes an answer: a JSON object with "status": "ok" or "fail". message is
// the answer's own message; it may come together with an error.
func decodeAnswer(body []byte) (fields map[string]any, message string, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil || fields == nil {
		return nil, "", errNotJSON // the cause would quote the body
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, "", errNotJSON
	}
	// It is not documented which field has the reason of a failure.
	for _, name := range []string{"message", "error", "description", "reason"} {
		if message = text(fields[name]); message != "" {
			break
		}
	}
	switch strings.ToLower(text(fields["status"])) {
	case "ok":
		return fields, message, nil
	case "fail":
		return nil, message, ErrFailed
	}
	return nil, message, errNotJSON
}

// listIn finds a list in an answer: an array, or an object that maps ids to entries, under
// its name or inside an object of that name.
func listIn(fields map[string]any, name string) (any, error) {
	if list, found := fields[name]; found {
		return list, nil
	}
	for _, wrapper := range []string{"data", "result"} {
		switch inner := fields[wrapper].(type) {
		case map[string]any:
			if list, found := inner[name]; found {
				return list, nil
			}
		case []any:
			return inner, nil
		}
	}
	return nil, errShape
}

// decodeList decodes the entries of an answer's list with decode, which gets an entry's
// fields and, if the list is an object, its name there.
func decodeList[T any](answer map[string]any, name string, decode func(fields map[string]any, id string) (T, error)) ([]T, error) {
	list, err := listIn(answer, name)
	if err != nil {
		return nil, err
	}
	entries, ids, err := entriesOf(list)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(entries))
	for i, entry := range entries {
		err := errShape
		if fields, ok := entry.(map[string]any); ok {
			all[i], err = decode(fields, ids[i])
		}
		if err != nil {
			return nil, fmt.Errorf("%s %d of %d: %w", strings.TrimSuffix(name, "s"), i+1, len(entries), err)
		}
	}
	return all, nil
}

// entriesOf returns the entries of an array or an object; ids are the names in the object.
func entriesOf(list any) (entries []any, ids []string, err error) {
	switch list := list.(type) {
	case nil:
		return nil, nil, nil
	case []any:
		return list, make([]string, len(list)), nil
	case map[string]any:
		ids = slices.Sorted(maps.Keys(list))
		for _, id := range ids {
			entries = append(entries, list[id])
		}
		return entries, ids, nil
	}
	return nil, nil, errShape
}

// validID matches ids that need no escaping in a path.
var validID = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`)

// decodeWebhook decodes one entry. Its id may be a number or a string, its lists arrays or
// comma-separated strings.
func decodeWebhook(fields map[string]any, id string) (Webhook, error) {
	w := Webhook{
		ID: cmp.Or(text(fields["id"]), id), Name: text(fields["name"]), URL: text(fields["url"]), Enabled: isEnabled(text(fields["status"])),
		Actions: texts(fields["actions"]), ProjectIDs: texts(fields["projectIds"]),
	}
	if !validID().MatchString(w.ID) || w.URL == "" {
		return Webhook{}, errShape
	}
	return w, nil
}

// isEnabled recognises the words that may mean "off"; the documented values, true and
// false, are those of requests only.
func isEnabled(status string) bool {
	switch strings.ToLower(status) {
	case "false", "0", "off", "no", "disabled", "inactive", "":
		return false
	}
	return true
}

// text returns a scalar as text; "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}

// texts returns an array of scalars, or the parts of a comma-separated string.
func texts(v any) (parts []string) {
	array, ok := v.([]any)
	if !ok {
		for part := range strings.SplitSeq(text(v), ",") {
			array = append(array, part)
		}
	}
	for _, element := range array {
		if part := text(element); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
