package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"fairbridge/pkg/internal/plainjson"
)

// The bounds that no mapping file and no payload can leave.
const (
	// maxText is the most bytes one template or function may yield. A payload
	// is at most 1,000,000 bytes, so any of its texts passes whole.
	maxText = 1 << 20
	// maxSteps bounds the work of all templates of one event together: about
	// one step a function call or a turn of a range, one for every 8 bytes read
	// or made. It is about two seconds of work, and 128 MiB of text.
	maxSteps = 16 << 20
)

var (
	errTooLong = fmt.Errorf("yields more than %d bytes", maxText)
	errTooMuch = errors.New("does more work than one event may take")
)

// Execution is what the templates of one event share: the event's fields and
// the work left to do. It is not safe for concurrent use. Every function call in a template gets it as a hidden
// first argument (see rewrite), which is how work is counted without a
// template's own state.
type Execution struct {
	fields   map[string]any            // the payload and FairBridge's own fields
	own      map[string]any            // those of fields that the app's form has added
	patterns map[string]*regexp.Regexp // of the template that runs now
	steps    int                       // left
	notes    []string                  // what templates could not do
}

// New returns an Execution for an event with the given fields, as encoding/json
// decodes them with UseNumber; own are those that the app's feedback form has
// added. The maps are the Execution's from now on.
func New(fields, own map[string]any) *Execution {
	return &Execution{fields: fields, own: own, steps: maxSteps}
}

// TakeNotes returns what the templates that ran since the last call could not do,
// such as to read what is no time.
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

// With calls run while the event seems to have one field more.
func (e *Execution) With(field, value string, run func() string) string {
	own, has := e.fields[field]
	e.fields[field] = value
	defer func() {
		delete(e.fields, field)
		if has {
			e.fields[field] = own
		}
	}()
	return run()
}

// field is what every access in a template becomes: `.a.b` is field $ . "a" "b".
// A step into something that is not there, is null, or has no fields gives "".
func (e *Execution) field(v any, path ...string) (any, error) {
	if err := e.spend(1+len(path), 0); err != nil {
		return nil, err
	}
	if v == any(e) {
		v = e.fields
	}
	for _, name := range path {
		fields, _ := v.(map[string]any)
		v = fields[name]
	}
	if v == nil {
		return "", nil
	}
	return v, nil
}

// each is put at the end of a range's pipeline: it yields a list or an object
// to go through and pays for the turns ahead, each of which costs weight. A
// missing value is an empty list, a single one a list of itself.
func (e *Execution) each(weight int, v any) (any, error) {
	turns := 0
	switch list := v.(type) {
	case []any:
		turns = len(list)
	case map[string]any:
		turns = len(list)
	default:
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

// text is a value as a template writes it: numbers and booleans as they stood
// in the payload, null as "", lists and objects as JSON.
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

var _ io.Writer = (*limited)(nil)

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxText {
		return 0, errTooLong
	}
	if err := l.e.spend(0, len(p)); err != nil {
		return 0, err
	}
	return l.Builder.Write(p)
}
