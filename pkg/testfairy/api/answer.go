package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// decodeAnswer reads an answer: a JSON object with "status": "ok" or "fail".
// The message is what the answer says of itself; it may be there with an error.
func decodeAnswer(body []byte) (fields map[string]json.RawMessage, message string, err error) {
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		// The cause would quote the body.
		return nil, "", errNotJSON
	}
	// Which field has the reason of a failure is not documented.
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

// listIn finds a list in an answer: an array, or an object of id to entry, under
// its name or one that wraps it.
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

func decodeWebhooks(fields map[string]json.RawMessage) ([]Webhook, error) {
	list, err := listIn(fields, "webhooks")
	if err != nil {
		return nil, err
	}
	entries, ids, err := entriesOf(list)
	if err != nil {
		return nil, err
	}
	webhooks := make([]Webhook, 0, len(entries))
	for i, entry := range entries {
		w, err := decodeWebhook(entry, ids[i])
		if err != nil {
			return nil, fmt.Errorf("webhook %d of %d: %w", i+1, len(entries), err)
		}
		webhooks = append(webhooks, w)
	}
	return webhooks, nil
}

func isArray(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) }

// entriesOf returns the entries of an array or an object; ids are the latter's
// names.
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

// validID is what may stand in a path as it is.
var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// decodeWebhook reads one entry. Its id may be a number or text, its lists
// arrays or text with commas.
func decodeWebhook(raw json.RawMessage, id string) (Webhook, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return Webhook{}, errShape
	}
	if own := text(fields["id"]); own != "" {
		id = own
	}
	w := Webhook{
		ID: id, Name: text(fields["name"]), URL: text(fields["url"]), Enabled: isEnabled(text(fields["status"])),
		Actions: texts(fields["actions"]), ProjectIDs: texts(fields["projectIds"]),
	}
	if !validID.MatchString(w.ID) || w.URL == "" {
		return Webhook{}, errShape
	}
	return w, nil
}

// isEnabled knows the words that a switch that is off may have; the values of
// status are documented for what is sent only: true and false.
func isEnabled(status string) bool {
	switch strings.ToLower(status) {
	case "false", "0", "off", "no", "disabled", "inactive", "":
		return false
	}
	return true
}

// text is a scalar as text; "" for anything else.
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

// texts is an array of scalars, or text with commas, as its parts.
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
