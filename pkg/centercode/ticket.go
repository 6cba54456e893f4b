package centercode

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
)

// CreateRequest is a request for a ticket.
type CreateRequest struct {
	Project string          // the project's key
	Source  string          // the External Source's key
	APIKey  string          // never part of an error
	Body    json.RawMessage // a JSON object: parameter names and values
}

// Ticket is a ticket that Centercode has created.
type Ticket struct {
	// ID is the ticket's id in the answer; "" if it has none.
	ID string
	// Files maps file elements to the absolute URLs that take their files, completed with
	// the project key, without the API key. It includes URLs that are not on a Centercode
	// host: see [Client.CheckEndpoint]. At most 32 KiB in all.
	Files map[string]string
	// AnswerKeys are the answer's key paths ("ticket.files[].url"), sorted, at most 60,
	// never with a value. They help a person to find out why an element's endpoint was not
	// found.
	AnswerKeys []string
}

// TicketURL returns where [Client.CreateTicket] sends a ticket, without the API key.
func (c *Client) TicketURL(project, source string) (string, error) {
	u, err := c.url("projects", project, "feedback", source)
	if err != nil {
		return "", fmt.Errorf("ticket endpoint: %w", err)
	}
	return u.String(), nil
}

// CreateTicket creates a ticket through an External Source. An error is an *[Error]; only
// if neither Lost nor OwnFault is set can the request be sent again without the risk of a
// second ticket.
//
// An answer means success if its body is JSON or empty, or if its status is 201 or 204,
// whatever the body. Any other page with a 2xx status comes from something in between, and
// counts as a lost answer. A refusal inside a success counts as a refusal.
func (c *Client) CreateTicket(ctx context.Context, r CreateRequest) (Ticket, error) {
	x := c.begin(OpCreateTicket, r.APIKey)
	u, err := c.url("projects", r.Project, "feedback", r.Source)
	if err != nil {
		return Ticket{}, x.cannotSend(fmt.Errorf("ticket endpoint: %w", err))
	}
	// With a bytes.Reader, net/http can retry on its own if the connection turns out to be
	// closed before anything was written.
	req, err := x.ownRequest(ctx, http.MethodPost, u, bytes.NewReader(r.Body))
	if err != nil {
		return Ticket{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := c.exchange(ctx, x, req, maxAnswerBytes)
	if err != nil {
		return Ticket{}, err
	}
	return c.readTicket(x, r.Project, answer)
}

// readTicket reads a success that contains no refusal. Its error is an *Error.
func (c *Client) readTicket(x *call, project string, r reply) (Ticket, error) {
	certain := r.status == http.StatusCreated || r.status == http.StatusNoContent
	nameless := Ticket{ID: x.plainID(idFromLocation(r.header))}
	switch {
	case r.broke != nil && certain, r.broke == nil && len(r.body) == 0:
		return nameless, nil
	case r.broke != nil:
		return Ticket{}, &Error{Op: x.op, Request: x.request(), Status: r.status, Lost: true, Err: r.broke}
	}
	a, err := readAnswer(r.body)
	if err != nil && certain {
		return nameless, nil
	}
	if err != nil {
		return Ticket{}, &Error{Op: x.op, Request: x.request(), Status: r.status, Lost: true, Description: x.description("the answer is not JSON: " + x.describe(r.body))}
	}
	ticket := Ticket{ID: x.plainID(a.id), Files: make(map[string]string)}
	if ticket.ID == "" {
		ticket.ID = nameless.ID
	}
	room := 32 << 10 // the ledger keeps them in an item of limited size
	for _, element := range sortedKeys(a.files) {
		endpoint, err := c.completeEndpoint(project, a.files[element])
		if err != nil || x.key.in(element+endpoint) {
			continue
		}
		if room -= len(element) + len(endpoint); room < 0 {
			break
		}
		ticket.Files[element] = endpoint
	}
	for _, key := range a.keys {
		ticket.AnswerKeys = append(ticket.AnswerKeys, x.clip(key, maxKeyPath))
	}
	return ticket, nil
}

// plainID returns an id, or "" if it contains the API key.
func (x *call) plainID(id string) string {
	if x.key.in(id) {
		return ""
	}
	return id
}

// idFromLocation takes the ticket's id from the last segment of the Location header (RFC
// 9110, section 10.2.2).
func idFromLocation(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Path == "" || u.Path == "/" {
		return ""
	}
	if id := path.Base(u.Path); plausibleID(id) {
		return id
	}
	return ""
}
