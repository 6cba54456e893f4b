package centercode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
)

// CreateRequest asks for a ticket.
type CreateRequest struct {
	Project string          // the project's key
	Source  string          // the External Source's key
	APIKey  string          // never shown in an error
	Body    json.RawMessage // a JSON object: parameter name to value
}

// Ticket is a ticket that Centercode made.
type Ticket struct {
	// ID is what the answer calls the ticket; "" if it does not say.
	ID string
	// Files maps a file element to the absolute URL that takes its file, on the
	// base URL's own host, completed with the project key, without the API key.
	// At most 32 KiB in all.
	Files map[string]string
	// AnswerKeys are the answer's key paths ("ticket.files[].url"), sorted, at
	// most 60: what a person needs to see where an element's endpoint was not
	// found. Never a value.
	AnswerKeys []string
}

// TicketURL is where [Client.CreateTicket] sends a ticket, without the API key.
func (c *Client) TicketURL(project, source string) (string, error) {
	u, err := c.url("projects", project, "feedback", source)
	if err != nil {
		return "", fmt.Errorf("ticket endpoint: %w", err)
	}
	return u.String(), nil
}

// CreateTicket makes a ticket through an External Source. An error is an
// *[Error]; only one with Lost unset may be sent again without the danger of a
// second ticket.
//
// A 2xx answer means that there is a ticket, if its body is JSON and whole, or
// empty; anything else under 2xx is a page that something in between has put
// there, and the answer counts as lost. The one exception is an error in
// Centercode's own form that comes with a 2xx: it is taken at its word.
func (c *Client) CreateTicket(ctx context.Context, r CreateRequest) (Ticket, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &call{op: OpCreateTicket, key: r.APIKey}
	target, err := c.TicketURL(r.Project, r.Source)
	if err != nil {
		return Ticket{}, &Error{Op: x.op, Err: err}
	}
	// A bytes.Reader lets net/http start again by itself on a connection that
	// turned out to be closed before anything was written.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(r.Body))
	if err != nil {
		return Ticket{}, &Error{Op: x.op, Err: redactError(err, x.key)}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.send(ctx, x, req)
	if err != nil {
		return Ticket{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return Ticket{}, x.refused(resp, cancel)
	}
	body, whole, err := readBody(resp.Body, maxAnswerBytes, cancel)
	if err != nil {
		err = fmt.Errorf("read the answer: %w", redactError(ctxError(ctx, err), x.key))
		return Ticket{}, &Error{Op: x.op, Status: resp.StatusCode, Lost: true, Err: err}
	}
	if !whole {
		return Ticket{}, &Error{Op: x.op, Status: resp.StatusCode, Lost: true, Description: "the answer is longer than 1 MiB"}
	}
	ticket, err := c.readTicket(x, r.Project, body)
	if e := (*Error)(nil); errors.As(err, &e) {
		if e.Status == 0 {
			e.Status = resp.StatusCode
		}
		return Ticket{}, e
	}
	if ticket.ID == "" {
		ticket.ID = idFromLocation(resp)
	}
	return ticket, nil
}

// readTicket reads the body of a 2xx answer. Its error is an *Error.
func (c *Client) readTicket(x *call, project string, body []byte) (Ticket, error) {
	body = bytes.TrimSpace(trimBOM(body))
	if len(body) == 0 {
		return Ticket{}, nil
	}
	a, err := readAnswer(body)
	if err != nil {
		return Ticket{}, &Error{Op: x.op, Lost: true, Description: x.clip("the answer is not JSON: " + describe(body))}
	}
	if status, ok := a.refusal(); ok {
		return Ticket{}, &Error{Op: x.op, Status: status, Description: x.clip(describe(body))}
	}
	ticket := Ticket{ID: a.id, Files: make(map[string]string)}
	room := 32 << 10 // the ledger keeps them in an item of bounded size
	for _, element := range sortedKeys(a.files) {
		endpoint, err := c.completeEndpoint(project, a.files[element])
		if err != nil {
			continue // not ours: the key must not go there
		}
		if room -= len(element) + len(endpoint); room < 0 {
			break
		}
		ticket.Files[element] = endpoint
	}
	for _, key := range a.keys {
		ticket.AnswerKeys = append(ticket.AnswerKeys, clip(redactKey(key, x.key), maxKeyPath))
	}
	return ticket, nil
}

// refusal recognises {"status": 404, "description": "..."} under a 2xx. A ticket
// whose own fields bear these names has an id, or a status that is a word.
func (a answer) refusal() (status int, ok bool) {
	fields, _ := a.root.(map[string]any)
	number, _ := fields["status"].(json.Number)
	_, described := fields["description"].(string)
	status, err := strconv.Atoi(number.String())
	return status, err == nil && described && status >= 400 && status < 600 && a.id == "" && len(a.files) == 0
}

// idFromLocation takes the ticket's id from the URL of what was created
// (RFC 9110, section 10.2.2): its last segment.
func idFromLocation(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil || u.Path == "" || u.Path == "/" {
		return ""
	}
	if id := path.Base(u.Path); plausibleID(id) {
		return id
	}
	return ""
}
