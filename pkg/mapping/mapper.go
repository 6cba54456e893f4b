package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/mapping/internal/template"
	"fairbridge/pkg/testfairy"
)

// maxBody is the maximum size of a request in bytes.
const maxBody = 8 << 20

// ErrNoRoute is returned for an event that no route matches: a person has to decide what
// happens with it.
var ErrNoRoute = errors.New("no route matches the event")

// ErrIgnored is returned for an event whose route says ignore.
var ErrIgnored = errors.New("the event's route ignores it")

// Input is an event with what FairBridge adds to it.
type Input struct {
	Event      testfairy.Event
	DeliveryID string    // .deliveryId in templates
	ReceivedAt time.Time // .receivedAt in templates, as RFC 3339 in UTC
}

// Request is the request that an event becomes.
type Request struct {
	Route           int // index in Config.Routes
	Project, Source string
	// Body is a JSON object of the parameters, in the file's order.
	Body        json.RawMessage
	Attachments []Attachment
	// NotAttached are the elements that the event has no file for. The ticket is complete
	// without them.
	NotAttached []string
	// OnLostAnswer is Park or Retry.
	OnLostAnswer string
	Lookup       *Lookup // nil: none
	// Warnings describe what is sent, but probably not as intended.
	Warnings []Warning
}

// FieldError is why an event cannot become a request. Its text contains nothing of the
// event.
type FieldError struct {
	Route   int    // index in Config.Routes
	Line    int    // of the key in the file
	Field   string // the key, such as "fields.severity"
	Problem string
	Value   string // the event's value, shortened; not part of the text
	Err     error  // may be nil
}

// Error names the key and the problem.
func (e *FieldError) Error() string {
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Problem)
}

// Unwrap returns the template's error, if there is one.
func (e *FieldError) Unwrap() error { return e.Err }

// Warning is something about a request that a person may want to check.
type Warning struct {
	Field   string // the key, such as "fields.severity"
	Problem string
	Value   string // the event's value, shortened; not part of the text
}

// String names the key and the problem. It contains nothing of the event.
func (w Warning) String() string { return w.Field + ": " + w.Problem }

// Map returns the request for an event. The error is ErrNoRoute, ErrIgnored, or, for an
// event that its route cannot map, one *FieldError for each invalid key, joined.
func (c *Config) Map(in Input) (Request, error) {
	e := execution(in)
	for i, r := range c.Routes {
		matches, err := r.match.matches(e, in.Event)
		if err != nil {
			return Request{}, &FieldError{Route: i, Line: r.Line, Field: "match.when", Problem: err.Error(), Err: err}
		}
		if !matches {
			continue
		}
		if r.Ignore {
			return Request{}, ErrIgnored
		}
		return (&mapper{e: e, route: i, event: in.Event, testfairy: c.TestFairy}).request(r)
	}
	return Request{}, ErrNoRoute
}

// execution returns what the templates for an event run in.
func execution(in Input) *template.Execution {
	fields := maps.Clone(in.Event.Fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields["deliveryId"] = in.DeliveryID
	fields["receivedAt"] = in.ReceivedAt.UTC().Format(time.RFC3339)
	return template.New(fields, ownFields(in.Event))
}

// mapper builds one request. It continues after an error, so that a person sees all errors
// at once.
type mapper struct {
	e         *template.Execution
	route     int
	event     testfairy.Event
	testfairy TestFairy
	errs      []error
	warnings  []Warning
}

func (m *mapper) request(r Route) (Request, error) {
	req := Request{
		Route: m.route, Project: r.Project, Source: r.Source,
		OnLostAnswer: r.OnLostAnswer, Lookup: r.Lookup,
		Body: m.body(r.fields),
	}
	for _, f := range r.attachments {
		switch a, ok := m.attachment(f); {
		case ok && a.URL == "":
			req.NotAttached = append(req.NotAttached, a.Element)
		case ok:
			req.Attachments = append(req.Attachments, a)
		}
	}
	if len(m.errs) > 0 {
		return Request{}, errors.Join(m.errs...)
	}
	req.Warnings = m.warnings
	return req, nil
}

// chosen are the parameters that Centercode itself interprets: it uses a default for a
// missing one, but not for an empty one.
var chosen = []string{"submitter", "status"}

func (m *mapper) body(fields []field) json.RawMessage {
	body := []byte{'{'}
	for _, f := range fields {
		key := "fields." + f.name
		value, o := m.value(key, f)
		if o != sent {
			continue
		}
		if string(value) == `""` && slices.Contains(chosen, f.name) {
			m.warn(key, "is sent as an empty text, which Centercode may refuse; omitEmpty: true leaves it out", "")
		}
		if len(body)+len(value) > maxBody {
			m.fail(f.line, key, fmt.Sprintf("the request is longer than %d bytes", maxBody), "", nil)
			return nil
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		name, _ := plainjson.Marshal(f.name) // a text cannot fail
		body = append(append(append(body, name...), ':'), value...)
	}
	return append(body, '}')
}

// run executes a template and turns its notes into warnings.
func (m *mapper) run(line int, key string, t expression) (string, bool) {
	s, err := t.Run(m.e)
	if err != nil {
		m.fail(line, key, err.Error(), "", err)
		return "", false
	}
	for _, note := range m.e.TakeNotes() {
		m.warn(key, note, "")
	}
	return s, true
}

func (m *mapper) fail(line int, key, problem, value string, err error) {
	m.errs = append(m.errs, &FieldError{
		Route: m.route, Line: line, Field: key, Problem: problem, Value: shown(value), Err: err,
	})
}

func (m *mapper) warn(key, problem, value string) {
	m.warnings = append(m.warnings, Warning{Field: key, Problem: problem, Value: shown(value)})
}

// shown shortens a value of the event.
func shown(s string) string { return clip.Text(strings.ToValidUTF8(s, "\uFFFD"), 100, "…") }
