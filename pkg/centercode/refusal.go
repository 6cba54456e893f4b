package centercode

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Services answer 200 with a refusal inside, in many forms. Treating one as a success would
// lose the feedback without a trace. Names are compared as in answer.go, at the top level
// and one level down.
var (
	statusNames  = []string{"status", "statuscode", "code"}
	failedWords  = []string{"fail", "failed", "failure", "error"}
	successNames = []string{"success", "ok", "succeeded"}
	codeNames    = []string{"errcode", "errorcode"}
	errorNames   = []string{"error", "errors", "fault"}
)

type object = map[string]any

// findRefusal searches the body of a success for a refusal. status is the HTTP status that
// the refusal states, 0 if none.
func findRefusal(body []byte) (status int, refused bool) {
	top := topObject(body)
	note := func(s int, is bool) {
		refused = refused || is
		if status == 0 {
			status = s
		}
	}
	note(refusalIn(top, true))
	for _, key := range sortedKeys(top) {
		inner, _ := top[key].(object)
		note(refusalIn(inner, false))
	}
	return status, refused
}

// topObject reads a JSON object, or a list with one; it returns nil for anything else. Of
// the object's lists it reads only those that may be errors: a page of a data package is
// one long list.
func topObject(body []byte) object {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) == 1 {
		body = list[0]
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return nil
	}
	top := object{}
	for key, v := range fields {
		if !bytes.HasPrefix(v, []byte("[")) || slices.Contains(errorNames, normalName(key)) {
			top[key], _ = readJSON(v) // it is valid
		}
	}
	return top
}

// refusalIn checks the fields of one object.
func refusalIn(fields object, top bool) (status int, refused bool) {
	for _, key := range sortedKeys(fields) {
		v, name := fields[key], normalName(key)
		said, is := 0, false
		switch {
		case slices.Contains(statusNames, name):
			said, is = failingStatus(v, name == "status", top)
		case slices.Contains(successNames, name):
			is = v == false || strings.EqualFold(textOf(v), "false")
		case slices.Contains(codeNames, name):
			text := textOf(v)
			n, err := strconv.ParseFloat(text, 64)
			is = text != "" && (err != nil || n != 0)
		case slices.Contains(errorNames, name):
			is = !isEmpty(v)
			said = statusWithin(v)
		}
		refused = refused || is
		if is && status == 0 {
			status = said
		}
	}
	return status, refused
}

// failingStatus reads a status of 400 or more. A field named just "status" may be text only
// at the top level: further down it may belong to the ticket.
func failingStatus(v any, plain, top bool) (status int, is bool) {
	text := textOf(v)
	if _, isText := v.(string); plain && !top && isText {
		return 0, false
	}
	if plain && slices.Contains(failedWords, strings.ToLower(text)) {
		return 0, true
	}
	number, _, _ := strings.Cut(text, " ") // "400 Bad Request"
	n, err := strconv.ParseFloat(number, 64)
	if err != nil && n == 0 || !(n >= 400) { // a number that is too large becomes infinite
		return 0, false
	}
	if n < 600 && n == float64(int(n)) {
		status = int(n)
	}
	return status, true
}

// statusWithin returns the status inside an error: {"error": {"code": 400}}, {"errors":
// [{"status": "400"}]}.
func statusWithin(v any) int {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		fields, _ := item.(object)
		for _, key := range sortedKeys(fields) {
			if name := normalName(key); slices.Contains(statusNames, name) {
				if status, _ := failingStatus(fields[key], name == "status", true); status != 0 {
					return status
				}
			}
		}
	}
	return 0
}

// isEmpty reports whether a value means "nothing".
func isEmpty(v any) bool {
	switch v := v.(type) {
	case object:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return strings.TrimSpace(v) == ""
	}
	return v == nil || v == false || v == json.Number("0")
}

// textOf returns a string or a number as trimmed text, and "" for anything else.
func textOf(v any) string { return strings.TrimSpace(scalar(v)) }

// inOwnForm recognises an error in the form that Centercode documents: {"status": 404,
// "description": "..."}.
func inOwnForm(body []byte) bool {
	var status, described bool
	for key, v := range topObject(body) {
		switch normalName(key) {
		case "status":
			n, err := strconv.Atoi(textOf(v))
			status = status || err == nil && n >= http.StatusBadRequest
		case "description":
			_, isText := v.(string)
			described = described || isText
		}
	}
	return status && described
}
