package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"time"
)

// maxTicketBytes is the size of the largest accepted ticket.
const maxTicketBytes = 16 << 20

func (s *Simulator) serveCreate(w http.ResponseWriter, r *http.Request) {
	body, ok := readAll(r.Body, maxTicketBytes)
	if !ok {
		refusal(http.StatusRequestEntityTooLarge, "The request is too large.").write(w)
		return
	}
	fields, isObject := readFields(body)
	c := Call{Op: OpCreate, Project: r.PathValue("project"), Source: r.PathValue("source"), Fields: fields, Request: r}
	s.carryOut(w, c, func() reply {
		mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case !s.knows(c.Project, c.Source):
			return reply{status: http.StatusNotFound, body: []byte(notFound)}
		case mediaType != "application/json":
			return refusal(http.StatusUnsupportedMediaType, "The request must be application/json.")
		case !isObject:
			return refusal(http.StatusBadRequest, "The request must be a JSON object.")
		}
		return s.create(c, body)
	})
}

// readFields reads one JSON object.
func readFields(body []byte) (map[string]any, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil || fields == nil {
		return nil, false
	}
	_, err := d.Token()
	return fields, err == io.EOF
}

// create creates a ticket from a request whose body is an object for a known source.
func (s *Simulator) create(c Call, body []byte) reply {
	submitter, ok := s.submitter(c.Fields)
	if !ok {
		return refusal(http.StatusBadRequest, "The submitter is not a user of the project.")
	}
	if status, _ := c.Fields["status"].(string); s.config.RequireStatus && status == "" {
		return refusal(http.StatusBadRequest, "The status is required.")
	}
	for name, allowed := range s.config.Choices {
		if v, ok := c.Fields[name]; ok && v != nil && !allChosenFrom(v, allowed) {
			return refusal(http.StatusBadRequest, "The value of %q is not one of the form's selections.", name)
		}
	}
	s.mu.Lock()
	s.lastID++
	id := strconv.Itoa(s.lastID)
	s.mu.Unlock()

	r := &record{Ticket: Ticket{
		ID: id, Project: c.Project, Source: c.Source, Submitter: submitter,
		Fields: c.Fields, Body: body, CreatedAt: s.config.Now().UTC().Round(time.Millisecond),
	}}
	if err := s.saveTicket(r.Ticket); err != nil {
		return refusal(http.StatusInternalServerError, "The ticket cannot be saved.")
	}
	s.mu.Lock()
	s.tickets[id] = r
	s.mu.Unlock()
	return s.config.Shape.answer(c, id, s.form())
}

// submitter returns the user who gets the ticket. ok is false if there is none.
func (s *Simulator) submitter(fields map[string]any) (email string, ok bool) {
	email, _ = fields["submitter"].(string)
	if s.config.Users == nil {
		address, err := mail.ParseAddress(email)
		ok = err == nil && address.Address == email
	} else {
		ok = slices.Contains(s.config.Users, email)
	}
	if !ok && !s.config.RequireSubmitter {
		return s.config.DefaultSubmitter, true
	}
	return email, ok
}

// allChosenFrom reports whether a value, or each value of a list, is allowed.
func allChosenFrom(v any, allowed []string) bool {
	if list, ok := v.([]any); ok {
		return !slices.ContainsFunc(list, func(v any) bool { return !allChosenFrom(v, allowed) })
	}
	return slices.Contains(allowed, text(v))
}

// text returns a scalar as JSON writes it, without quotes.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
