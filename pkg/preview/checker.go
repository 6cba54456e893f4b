package preview

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// Config configures a [Checker].
type Config struct {
	Mapping *mapping.Config
	// By describes which mapping it is.
	By string
	// Now provides .receivedAt of a payload; the default is time.Now.
	Now func() time.Time
}

// Checker maps payloads as ingest and the worker do, and sends nothing.
type Checker struct {
	Config
	client  *centercode.Client
	fetcher *attachment.Fetcher
}

// New returns a checker for a mapping.
func New(c Config) (*Checker, error) {
	base := cmp.Or(c.Mapping.Centercode.BaseURL, noBaseURL)
	client, err := centercode.New(centercode.Config{BaseURL: base, Hosts: c.Mapping.Centercode.Hosts})
	if err != nil {
		return nil, err
	}
	fetcher, err := attachment.New(worker.SourceConfig(c.Mapping))
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Checker{c, client, fetcher}, nil
}

// Payload processes one payload as ingest does, and then maps it.
func (c *Checker) Payload(p Payload) Preview {
	result := Preview{Payload: p.Name, Event: string(p.event.Kind), Outcome: Ticket, Problems: []Remark{}, Warnings: []Remark{}}
	if len(p.Data) > ingest.MaxPayloadBytes {
		result.refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("larger than %d bytes", ingest.MaxPayloadBytes))
		return result
	}
	if p.err != nil {
		result.refuse(http.StatusBadRequest, p.err)
		return result
	}
	if !c.Mapping.Wants(p.event.Kind) {
		result.Outcome, result.Reason = Ignored, "no route wants its kind"
		return result
	}
	for _, o := range p.event.Odd() {
		result.Warnings = append(result.Warnings, Remark{Field: o.Field, Problem: o.Problem})
	}
	result.DeliveryID = p.event.DeliveryID()
	request, err := c.Mapping.Map(mapping.Input{Event: p.event, DeliveryID: result.DeliveryID, ReceivedAt: c.Now()})
	switch {
	case errors.Is(err, mapping.ErrIgnored):
		result.Outcome, result.Reason = Ignored, "its route ignores it"
	case errors.Is(err, mapping.ErrNoRoute):
		result.Outcome, result.Reason = DeadLetter, string(queue.ReasonUnroutable)
		result.Problems = append(result.Problems, Remark{Problem: err.Error(), Value: routingOf(p.event)})
	case err != nil:
		result.Outcome, result.Reason = DeadLetter, string(queue.ReasonMapping)
		c.unmapped(&result, err)
	default:
		c.ticket(&result, request)
	}
	return result
}

// refuse records why ingest answers with an error.
func (r *Preview) refuse(status int, err error) {
	r.Outcome, r.Status = Refused, status
	r.Problems = append(r.Problems, Remark{Problem: err.Error()})
}

// routingOf returns the fields that routes match on, for a person who looks for a missing
// route.
func routingOf(e testfairy.Event) string {
	var parts []string
	for _, field := range []string{"event", "appName", "version", "buildUrl"} {
		if text := e.Text(field); text != "" {
			parts = append(parts, field+" "+terminal.Shorten(text, 80))
		}
	}
	return strings.Join(parts, ", ")
}

// unmapped records every field that could not be mapped: err is one error or several,
// joined.
func (c *Checker) unmapped(r *Preview, err error) {
	for _, err := range Each(err) {
		var field *mapping.FieldError
		if !errors.As(err, &field) {
			r.Problems = append(r.Problems, Remark{Problem: err.Error()})
			continue
		}
		r.Route, r.Line = field.Route+1, c.Mapping.Routes[field.Route].Line
		r.Problems = append(r.Problems, Remark{Line: field.Line, Field: field.Field, Problem: field.Problem, Value: field.Value})
	}
}

// Each splits joined errors.
func Each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// Map decodes a message, as the worker does, and maps it.
func (c *Checker) Map(e queue.Envelope) (mapping.Request, error) {
	event, err := testfairy.Decode(e.Event)
	if err != nil {
		return mapping.Request{}, err
	}
	return c.Mapping.Map(mapping.Input{Event: event, DeliveryID: e.DeliveryID, ReceivedAt: e.ReceivedAt})
}

// Request returns the exact request that Centercode would receive.
func (c *Checker) Request(r mapping.Request) Preview {
	var p Preview
	c.ticket(&p, r)
	return p
}

// ticket records the request for the ticket.
func (c *Checker) ticket(result *Preview, r mapping.Request) {
	u, err := c.client.TicketURL(r.Project, r.Source)
	if err != nil {
		result.Outcome, result.Reason = DeadLetter, string(queue.ReasonRejected)
		result.Problems = append(result.Problems, Remark{Field: "project, source", Problem: err.Error()})
		return
	}
	result.Route, result.Line = r.Route+1, c.Mapping.Routes[r.Route].Line
	result.Project, result.Source, result.OnLostAnswer = r.Project, r.Source, r.OnLostAnswer
	result.base = c.Mapping.Centercode.BaseURL
	result.Method, result.URL, result.Body = http.MethodPost, strings.TrimPrefix(u, noBaseURL)+"?apiKey=...", r.Body
	if l := r.Lookup; l != nil {
		result.Lookup = &Lookup{Package: l.Package, Column: l.Column, TicketColumn: l.TicketColumn, Settle: l.Settle.String()}
	}
	for _, w := range r.Warnings {
		result.Warnings = append(result.Warnings, Remark{Field: w.Field, Problem: w.Problem, Value: w.Value})
	}
	for _, a := range r.Attachments {
		c.attachment(result, a)
	}
	result.NotAttached = r.NotAttached
}

// attachment records a file, and what the worker would refuse about it.
func (c *Checker) attachment(result *Preview, a mapping.Attachment) {
	result.Attachments = append(result.Attachments, File{
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
		problem := Remark{Field: field, Problem: refused.Reason}
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
	if a.Endpoint == "" || c.Mapping.Centercode.BaseURL == "" {
		return
	}
	if err := c.client.CheckEndpoint(a.EndpointFor("1")); err != nil {
		result.Problems = append(result.Problems, Remark{Field: field + ".endpoint", Value: a.Endpoint,
			Problem: err.Error() + "; the ticket is made, then the delivery becomes a dead letter"})
	}
}
