package centercode

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The exact shape of the answer to a created ticket is not public. It is documented that it
// is JSON and includes the API endpoints of the form's file elements. So this file looks
// for the ticket's id and the endpoints in every plausible place. To support another shape,
// add a case to the test and a name below.

const (
	maxAnswerDepth = 24  // levels of the answer that are searched
	maxAnswerKeys  = 60  // key paths that are kept
	maxKeyPath     = 120 // characters of one
	maxEndpoint    = 1024
	maxID          = 128
)

var (
	// Names are compared in lower case without "_", "-" and spaces.
	ticketIDNames = []string{"ticketid", "feedbackid", "ticketkey", "feedbackkey", "ticketnumber", "feedbacknumber"}
	ticketNames   = []string{"ticket", "feedback"}
	// Names of objects that contain the ticket, or a part of it, and are not file elements.
	containerNames = []string{"ticket", "feedback", "data", "result", "response", "item", "links"}
	// Names under which an entry names its file element, the best first.
	elementNames = []string{"key", "elementkey", "fieldkey", "element", "name", "elementname", "fieldname", "field", "fileelement", "label", "title", "id"}
	// Names under which an entry has its endpoint.
	endpointNames = []string{"endpoint", "apiendpoint", "uploadendpoint", "fileendpoint", "url", "apiurl", "uploadurl", "fileurl", "href", "uri", "link", "path", "location", "self"}
)

// answer is what was found in Centercode's answer to a created ticket.
type answer struct {
	id    string
	files map[string]string // element to endpoint, as the answer spells it
	keys  []string
}

func readAnswer(body []byte) (answer, error) {
	root, err := readJSON(body)
	if err != nil {
		return answer{}, err
	}
	f := fileFinder{best: make(map[string]string), other: make(map[string]string)}
	f.visit("", root, false, 0)
	maps.Copy(f.other, f.best)
	return answer{id: findID(root), files: f.other, keys: keyPaths(root)}, nil
}

// readJSON reads exactly one JSON value, with its numbers as json.Number.
func readJSON(body []byte) (root any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return root, nil
}

// findID searches for the ticket's id: by the most reliable name, and the outermost of
// equal ones.
func findID(root any) string {
	const weakest = 3
	id, best := "", weakest+1
	offer := func(v any, rank int) {
		text := scalar(v)
		if rank == weakest && !strings.ContainsAny(text, "0123456789") {
			return // a word: the form's own field, or "OK"
		}
		if rank < best && plausibleID(text) {
			id, best = text, rank
		}
	}
	offer(root, weakest) // the whole answer is the id
	type place struct {
		value  any
		ticket bool // the object is called ticket or feedback
	}
	level := []place{{value: root}}
	for depth := 0; len(level) > 0 && depth < maxAnswerDepth; depth++ {
		var next []place
		for _, p := range level {
			if list, ok := p.value.([]any); ok && len(list) == 1 {
				p.value = list[0] // a list with one ticket
			}
			fields, _ := p.value.(map[string]any)
			for _, key := range sortedKeys(fields) {
				v, name := fields[key], normalName(key)
				switch {
				case slices.Contains(ticketIDNames, name):
					offer(v, 0)
				case name == "id" && p.ticket:
					offer(v, 1)
				case name == "id":
					offer(v, 2)
				case name == "key" || name == "number" || slices.Contains(ticketNames, name):
					offer(v, weakest)
				}
				if slices.Contains(containerNames, name) {
					next = append(next, place{v, slices.Contains(ticketNames, name)})
				}
			}
		}
		level = next
	}
	return id
}

// plausibleID keeps text or a link from being taken for an id.
func plausibleID(s string) bool {
	return s != "" && len(s) <= maxID && !strings.Contains(s, "://") && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' || r == unicode.ReplacementChar
	})
}

// fileFinder collects elements and their endpoints in three forms, at any depth:
// {"screenshot": "URL"}, {"screenshot": {"url": "URL"}} and [{"key": "screenshot", "url":
// "URL"}].
type fileFinder struct {
	best  map[string]string // by the best name in the entry
	other map[string]string // by its other names
}

func (f *fileFinder) visit(name string, v any, inList bool, depth int) {
	if depth > maxAnswerDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			f.visit(name, item, true, depth+1)
		}
	case map[string]any:
		f.entry(name, v, inList)
		for _, key := range sortedKeys(v) {
			if text, ok := v[key].(string); ok {
				if name := normalName(key); name != "id" && !slices.Contains(endpointNames, name) {
					add(f.best, key, text)
				}
				continue
			}
			f.visit(key, v[key], false, depth+1)
		}
	}
}

// entry reads an object that describes one element.
func (f *fileFinder) entry(name string, fields map[string]any, inList bool) {
	named := normalise(fields)
	_, endpoint := firstOf(named, endpointNames, looksLikeEndpoint)
	if endpoint == "" {
		return
	}
	isName := func(s string) bool { return s != "" && !looksLikeEndpoint(s) }
	names := elementNames
	labels := f.best
	if !inList {
		if name == "" || slices.Contains(containerNames, normalName(name)) {
			return // the URL of the ticket itself
		}
		add(labels, name, endpoint)
		labels = f.other
	}
	for len(names) > 0 {
		i, label := firstOf(named, names, isName)
		if label == "" {
			return
		}
		add(labels, label, endpoint)
		names, labels = names[i+1:], f.other
	}
}

func add(files map[string]string, element, endpoint string) {
	if _, taken := files[element]; !taken && looksLikeEndpoint(endpoint) {
		files[element] = endpoint
	}
}

// looksLikeEndpoint distinguishes an endpoint from other text: a URL, an absolute path, or
// a path below the API.
func looksLikeEndpoint(s string) bool {
	if len(s) > maxEndpoint || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return false
	}
	lower := strings.ToLower(s)
	for _, prefix := range []string{"https://", "http://", "/", "api/", "projects/", "feedback/"} {
		if len(lower) > len(prefix) && strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// firstOf returns the first of names whose value fits, and that value.
func firstOf(named map[string]string, names []string, fits func(string) bool) (int, string) {
	for i, name := range names {
		if text := named[name]; fits(text) {
			return i, text
		}
	}
	return -1, ""
}

// normalise returns an object's scalars by their normalised names.
func normalise(fields map[string]any) map[string]string {
	named := make(map[string]string)
	for _, key := range sortedKeys(fields) {
		name := normalName(key)
		if _, taken := named[name]; !taken {
			named[name] = scalar(fields[key])
		}
	}
	return named
}

// keyPaths lists the paths of the answer's values.
func keyPaths(root any) []string {
	found := make(map[string]bool)
	var walk func(path string, v any, depth int)
	walk = func(path string, v any, depth int) {
		if len(found) >= maxAnswerKeys || depth > maxAnswerDepth {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range sortedKeys(v) {
				walk(strings.TrimPrefix(path+"."+key, "."), v[key], depth+1)
			}
		case []any:
			for _, item := range v {
				walk(path+"[]", item, depth+1)
			}
		default:
			if path != "" {
				found[path] = true
			}
		}
	}
	walk("", root, 0)
	return sortedKeys(found)
}

// scalar returns a string or a number as text, and "" for anything else.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

var nameNoise = strings.NewReplacer("_", "", "-", "", " ", "")

func normalName(key string) string { return nameNoise.Replace(strings.ToLower(key)) }

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
