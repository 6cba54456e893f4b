package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// exampleBaseURL stands in the printed request while no Centercode is
// configured.
const exampleBaseURL = "https://centercode.invalid"

// What can become of a payload.
const (
	becomesTicket     = "ticket"
	becomesIgnored    = "ignored"     // answered 200, and left at that
	becomesRefused    = "refused"     // answered with an error; never in the queue
	becomesDeadLetter = "dead_letter" // accepted, but no ticket without a person
)

// preview is what becomes of a payload.
type preview struct {
	Payload    string `json:"payload"`
	Event      string `json:"event,omitempty"` // its kind
	DeliveryID string `json:"deliveryId,omitempty"`
	Outcome    string `json:"outcome"`          // one of the above
	Status     int    `json:"status,omitempty"` // HTTP, of what is refused
	Reason     string `json:"reason,omitempty"` // of what is ignored or a dead letter

	Route   int    `json:"route,omitempty"` // counted from 1
	Line    int    `json:"line,omitempty"`  // of the route, in the mapping file
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`

	base         string          // of the URL, if it is configured
	Method       string          `json:"method,omitempty"`
	URL          string          `json:"url,omitempty"`
	Body         json.RawMessage `json:"body,omitempty"`
	Attachments  []checkedFile   `json:"attachments,omitempty"`
	NotAttached  []string        `json:"notAttached,omitempty"` // the event has no file for these elements
	OnLostAnswer string          `json:"onLostAnswer,omitempty"`
	Lookup       *checkedLookup  `json:"lookup,omitempty"`

	Problems []remark `json:"problems"`
	Warnings []remark `json:"warnings"`

	*difference // with --diff
}

// checkedFile is an attachment, but for what is as it is by default.
type checkedFile struct {
	Element  string `json:"element"`
	URL      string `json:"url"`
	Want     string `json:"want,omitempty"`    // what the file must be
	Account  string `json:"account,omitempty"` // of TestFairy, that it is asked for with
	Filename string `json:"filename,omitempty"`
	Field    string `json:"field"` // of the multipart form
	Optional bool   `json:"optional,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

type checkedLookup struct {
	Package      string `json:"package"`
	Column       string `json:"column"`
	TicketColumn string `json:"ticketColumn"`
	Settle       string `json:"settle"`
}

// remark is a problem or a warning, of the mapping file or of a payload.
type remark struct {
	Line    int    `json:"line,omitempty"` // in the mapping file
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"` // the key of the file, or the field of the payload
	Problem string `json:"problem"`
	Value   string `json:"value,omitempty"` // what the payload has there, cut short
	Hint    string `json:"hint,omitempty"`
}

// placesOf are the problems of a file.
func placesOf(problems mapping.Problems) []remark {
	places := make([]remark, len(problems))
	for i, p := range problems {
		places[i] = remark{Line: p.Line, Column: p.Column, Problem: p.Message, Hint: p.Hint}
	}
	return places
}

// checker knows what ingest and the worker know, but sends nothing.
type checker struct {
	config  *mapping.Config
	client  *centercode.Client
	fetcher *attachment.Fetcher
	now     time.Time // .receivedAt of a payload
}

func newChecker(c *mapping.Config) (*checker, error) {
	base := c.Centercode.BaseURL
	if base == "" {
		base = exampleBaseURL
	}
	client, err := centercode.New(centercode.Config{BaseURL: base})
	if err != nil {
		return nil, err
	}
	fetcher, err := attachment.NewFetcher(worker.SourceOptions(c))
	if err != nil {
		return nil, err
	}
	return &checker{config: c, client: client, fetcher: fetcher}, nil
}

// payload takes one through what ingest does, and then through the mapping.
func (c *checker) payload(p payloadFile) (preview, error) {
	result := preview{Payload: p.name, Event: string(p.event.Kind), Outcome: becomesTicket, Problems: []remark{}, Warnings: []remark{}}
	if len(p.data) > ingest.MaxPayloadBytes {
		result.refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("larger than %d bytes", ingest.MaxPayloadBytes))
		return result, nil
	}
	if p.err != nil {
		result.refuse(http.StatusBadRequest, p.err)
		return result, nil
	}
	if !c.config.Wants(p.event.Kind) {
		result.Outcome, result.Reason = becomesIgnored, "no route wants its kind"
		return result, nil
	}
	for _, o := range p.event.Odd() {
		result.Warnings = append(result.Warnings, remark{Field: o.Field, Problem: o.Problem})
	}
	result.DeliveryID = p.event.DeliveryID()
	request, err := c.config.Map(mapping.Input{Event: p.event, DeliveryID: result.DeliveryID, ReceivedAt: c.now})
	switch {
	case errors.Is(err, mapping.ErrIgnored):
		result.Outcome, result.Reason = becomesIgnored, "its route ignores it"
	case errors.Is(err, mapping.ErrNoRoute):
		result.Outcome, result.Reason = becomesDeadLetter, string(queue.ReasonUnroutable)
		result.Problems = append(result.Problems, remark{Problem: err.Error(), Value: routingOf(p.event)})
	case err != nil:
		result.Outcome, result.Reason = becomesDeadLetter, string(queue.ReasonMapping)
		c.unmapped(&result, err)
	default:
		return result, c.ticket(&result, request)
	}
	return result, nil
}

// refuse notes why ingest answers with an error.
func (r *preview) refuse(status int, err error) {
	r.Outcome, r.Status = becomesRefused, status
	r.Problems = append(r.Problems, remark{Problem: err.Error()})
}

// routingOf is what routes look at, for a person who looks for the missing one.
func routingOf(e testfairy.Event) string {
	var parts []string
	for _, field := range []string{"event", "appName", "version", "buildUrl"} {
		if text := e.Text(field); text != "" {
			parts = append(parts, field+" "+shorten(text, 80))
		}
	}
	return strings.Join(parts, ", ")
}

// unmapped notes every field that could not be mapped: err is one error or
// several, joined.
func (c *checker) unmapped(r *preview, err error) {
	for _, err := range eachOf(err) {
		var field *mapping.FieldError
		if !errors.As(err, &field) {
			r.Problems = append(r.Problems, remark{Problem: err.Error()})
			continue
		}
		r.Route, r.Line = field.Route+1, c.config.Routes[field.Route].Line
		r.Problems = append(r.Problems, remark{Line: field.Line, Field: field.Field, Problem: field.Problem, Value: field.Value})
	}
}

// eachOf takes joined errors apart.
func eachOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// ticket notes what Centercode would get.
func (c *checker) ticket(result *preview, r mapping.Request) error {
	u, err := c.client.TicketURL(r.Project, r.Source)
	if err != nil {
		return err
	}
	result.Route, result.Line = r.Route+1, c.config.Routes[r.Route].Line
	result.Project, result.Source, result.OnLostAnswer = r.Project, r.Source, r.OnLostAnswer
	result.base = c.config.Centercode.BaseURL
	result.Method, result.URL, result.Body = http.MethodPost, u+"?apiKey=...", r.Body
	if l := r.Lookup; l != nil {
		result.Lookup = &checkedLookup{Package: l.Package, Column: l.Column, TicketColumn: l.TicketColumn, Settle: l.Settle.String()}
	}
	for _, w := range r.Warnings {
		result.Warnings = append(result.Warnings, remark{Field: w.Field, Problem: w.Problem, Value: w.Value})
	}
	for _, a := range r.Attachments {
		c.attachment(result, a)
	}
	result.NotAttached = r.NotAttached
	return nil
}

// attachment notes a file and what the worker would refuse about it.
func (c *checker) attachment(result *preview, a mapping.Attachment) {
	result.Attachments = append(result.Attachments, checkedFile{
		Element: a.Element, URL: a.URL, Want: a.Want, Account: a.Account,
		Filename: a.Filename, Field: a.Field, Optional: a.Optional, Endpoint: a.Endpoint,
	})
	field := "attachments." + a.Element
	request := attachment.OpenRequest{URL: a.URL, Want: attachment.Want(a.Want)}
	if a.Account != "" {
		request.Auth = &attachment.BasicAuth{User: a.Account}
	}
	var refused *attachment.Error
	if err := c.fetcher.Check(request); errors.As(err, &refused) {
		problem := remark{Field: field, Problem: refused.Reason}
		if refused.Err != nil {
			problem.Problem += ": " + refused.Err.Error()
		}
		if a.Optional {
			problem.Problem += "; the ticket is made without the file"
			result.Warnings = append(result.Warnings, problem)
		} else {
			problem.Problem += "; the ticket is made, then the delivery becomes a dead letter"
			result.Problems = append(result.Problems, problem)
		}
	}
	if problem := c.endpointProblem(a.Endpoint); problem != "" {
		result.Problems = append(result.Problems, remark{Field: field + ".endpoint", Problem: problem, Value: a.Endpoint})
	}
}

// endpointProblem says why a configured endpoint would not be used, or "".
func (c *checker) endpointProblem(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "is not a URL"
	}
	base, err := url.Parse(c.config.Centercode.BaseURL)
	if err == nil && u.Host != "" && base.Host != "" && !strings.EqualFold(u.Hostname(), base.Hostname()) {
		return "is not on Centercode's own host, and the API key goes nowhere else"
	}
	return ""
}
