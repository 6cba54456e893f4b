package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
)

// Sent is the last request for a ticket that was sent for a delivery.
type Sent struct {
	At time.Time `json:"at"`
	// Mapping is the hash of the mapping that produced it.
	Mapping string `json:"mapping"`
	Method  string `json:"method"`
	URL     string `json:"url"` // without the key
	// Fields are the parameters, sorted by name.
	Fields []SentField `json:"fields"`
	// Files are the ticket's files.
	Files []File `json:"files,omitempty"`
}

// SentField is a parameter of a request.
type SentField struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// SentOf reconstructs what was sent for a delivery from the body of its message, with the
// mapping of that time. It returns nil if nothing was sent, or the ledger does not have
// that mapping. People's later edits are left out.
func SentOf(ctx context.Context, l *ledger.Ledger, e ledger.Entry, body string) (*Sent, error) {
	if e.Where == nil || e.Where.Mapping == "" || body == "" {
		return nil, nil
	}
	envelope, err := queue.Decode(body)
	if err != nil {
		return nil, nil // nothing was sent
	}
	text, err := l.Mapping(ctx, e.Where.Mapping)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := mapping.Parse("the mapping that made the request", []byte(text))
	if err == nil && e.Where.BaseURL != "" { // else it went to the simulator
		m, err = m.WithBaseURL(e.Where.BaseURL)
	}
	if err != nil {
		return nil, fmt.Errorf("read the mapping that made the request: %w", err)
	}
	for _, edit := range slices.Backward(envelope.Edits) {
		if edit.At.After(e.CreatingSince) {
			if _, err := envelope.Put(edit.Field, edit.Old, edit.At); err != nil {
				return nil, err
			}
		}
	}
	c, err := New(Config{Mapping: m})
	if err != nil {
		return nil, err
	}
	request, err := c.Map(envelope)
	if err != nil {
		return nil, fmt.Errorf("rebuild the request that was sent: %w", err)
	}
	p := c.Request(request)
	s := &Sent{At: e.CreatingSince.UTC(), Mapping: e.Where.Mapping, Method: p.Method, URL: p.URL, Files: p.Attachments}
	fields := p.Fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		s.Fields = append(s.Fields, SentField{Name: name, Value: fields[name]})
	}
	return s, nil
}
