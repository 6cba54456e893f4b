package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
)

// decodeAnswer decodes an answer: a JSON object with "status": "ok" or "fail". message is
// the answer's own message; it may come together with an error.
func decodeAnswer(body []byte) (fields map[string]json.RawMessage, message string, err error) {
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		// The cause would quote the body.
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
func listIn(fields map[string]json.RawMessage, name string) (json.RawMessage, error) {
	if list, found := fields[name]; found {
		return list, nil
	}
	for _, wrapper := range []string{"data", "result"} {
		var inner map[string]json.RawMessage
		switch {
		case json.Unmarshal(fields[wrapper], &inner) == nil && inner[name] != nil:
			return inner[name], nil
		case isArray(fields[wrapper]):
			return fields[wrapper], nil
		}
	}
	return nil, errShape
}

// decodeList decodes the entries of an answer's list with decode, which gets an entry's
// fields and, if the list is an object, its name there.
func decodeList[T any](answer map[string]json.RawMessage, name string, decode func(fields map[string]json.RawMessage, id string) (T, error)) ([]T, error) {
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
		var fields map[string]json.RawMessage
		err := errShape
		if json.Unmarshal(entry, &fields) == nil && fields != nil {
			all[i], err = decode(fields, ids[i])
		}
		if err != nil {
			return nil, fmt.Errorf("%s %d of %d: %w", strings.TrimSuffix(name, "s"), i+1, len(entries), err)
		}
	}
	return all, nil
}

func isArray(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) }

// entriesOf returns the entries of an array or an object; ids are the names in the object.
func entriesOf(list json.RawMessage) (entries []json.RawMessage, ids []string, err error) {
	if isArray(list) {
		if json.Unmarshal(list, &entries) != nil {
			return nil, nil, errShape
		}
		return entries, make([]string, len(entries)), nil
	}
	var byID map[string]json.RawMessage // null: none
	if json.Unmarshal(list, &byID) != nil {
		return nil, nil, errShape
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		entries, ids = append(entries, byID[id]), append(ids, id)
	}
	return entries, ids, nil
}

// validID matches ids that need no escaping in a path.
var validID = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`)

// decodeWebhook decodes one entry. Its id may be a number or a string, its lists arrays or
// comma-separated strings.
func decodeWebhook(fields map[string]json.RawMessage, id string) (Webhook, error) {
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
func text(raw json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return ""
	}
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
func texts(raw json.RawMessage) []string {
	var all []string
	var array []json.RawMessage
	if json.Unmarshal(raw, &array) == nil {
		for _, element := range array {
			all = append(all, text(element))
		}
	} else {
		all = strings.Split(text(raw), ",")
	}
	var parts []string
	for _, part := range all {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
