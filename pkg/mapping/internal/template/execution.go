package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"fairbridge/pkg/internal/plainjson"
)

// The bounds that apply to every mapping file and payload.
const (
	// maxText is how many bytes one template or function may produce. A payload is at most
	// 1,000,000 bytes, so each of its texts fits.
	maxText = 1 << 20
	// maxSteps bounds the work of all templates of one event: about one step for each
	// function call or iteration of a range, and one for every 8 bytes read or written. It
	// is about two seconds of work, and 128 MiB of text.
	maxSteps = 16 << 20
)

var (
	errTooLong = fmt.Errorf("yields more than %d bytes", maxText)
	errTooMuch = errors.New("does more work than one event may take")
)

// Execution is what the templates of one event share: the event's fields and the remaining
// work. It is not safe for concurrent use. Every function call in a template receives it as
// a hidden first argument (see rewrite), so that work is counted without state in the
// templates.
type Execution struct {
	fields   map[string]any            // the payload and FairBridge's own fields
	own      map[string]any            // those of fields that come from the app's form
	patterns map[string]*regexp.Regexp // of the current template
	steps    int                       // left
	notes    []string                  // what templates could not do
}

// New returns an Execution for an event with the given fields, as encoding/json decodes
// them with UseNumber; own are those from the app's feedback form. The Execution takes over
// the maps.
func New(fields, own map[string]any) *Execution {
	return &Execution{fields: fields, own: own, steps: maxSteps}
}

// TakeNotes returns and clears what templates could not do, such as formatting something
// that is not a time.
func (e *Execution) TakeNotes() []string {
	notes := e.notes
	e.notes = nil
	return notes
}

// spend takes steps for a call and for n bytes. It fails when none are left.
func (e *Execution) spend(calls, n int) error {
	e.steps -= calls + n/8
	if e.steps < 0 {
		return errTooMuch
	}
	return nil
}

// With calls run with one additional field in the event.
func (e *Execution) With(field, value string, run func() string) string {
	outer := e.fields
	defer func() { e.fields = outer }()
	e.fields = maps.Clone(outer)
	e.fields[field] = value
	return run()
}

// value implements a dot or a variable in a template. Null is "".
func (e *Execution) value(v any) (any, error) {
	switch v {
	case any(e):
		v = e.fields
	case nil:
		v = ""
	}
	return v, e.spend(1, 0)
}

// field implements every field access in a template: `.a.b` is field $ (field $ . "a") "b".
// Accessing something that is missing, null, or has no fields gives "".
func (e *Execution) field(v any, name string) (any, error) {
	if v == any(e) {
		v = e.fields
	}
	fields, _ := v.(map[string]any)
	return e.value(fields[name])
}

// each ends the pipeline of a range: it returns a list or an object to iterate over, and
// pays in advance for the iterations, each of which costs weight. A missing value is an
// empty list, a single one is a list of one.
func (e *Execution) each(weight int, v any) (any, error) {
	turns, ok := elements(v)
	if !ok {
		text, err := e.text(v)
		if err != nil || text == "" {
			return []any(nil), err
		}
		v, turns = []any{v}, 1
	}
	if turns > e.steps/weight {
		return nil, errTooMuch
	}
	return v, e.spend(turns*weight, 0)
}

// elements returns how many elements a list or an object has.
func elements(v any) (n int, ok bool) {
	switch v := v.(type) {
	case []any:
		return len(v), true
	case map[string]any:
		return len(v), true
	}
	return 0, false
}

// text returns a value as a template prints it: numbers and booleans as in the payload,
// null as "", lists and objects as JSON.
func (e *Execution) text(v any) (string, error) {
	var s string
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = strconv.FormatBool(v)
	case int:
		s = strconv.Itoa(v)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		data, err := plainjson.Marshal(v)
		if err != nil {
			return "", err
		}
		s = string(data)
	}
	return s, e.spend(0, len(s))
}

// limited collects a template's output and aborts the template at maxText.
type limited struct {
	strings.Builder
	e *Execution
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxText {
		return 0, errTooLong
	}
	if err := l.e.spend(0, len(p)); err != nil {
		return 0, err
	}
	return l.Builder.Write(p)
}
