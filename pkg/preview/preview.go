// Package preview shows what becomes of a payload, and sends nothing: the exact
// request that Centercode would get, or why there would be none, and what is
// different from what another mapping file makes of it.
package preview

import (
	"encoding/json"
	"slices"

	"fairbridge/pkg/testfairy"
)

// exampleBaseURL stands in the printed request while no Centercode is
// configured.
const exampleBaseURL = "https://centercode.invalid"

// Outcome is what becomes of a payload.
type Outcome string

// The outcomes.
const (
	Ticket     Outcome = "ticket"
	Ignored    Outcome = "ignored"     // answered 200, and left at that
	Refused    Outcome = "refused"     // answered with an error; never in the queue
	DeadLetter Outcome = "dead_letter" // accepted, but no ticket without a person
)

// Preview is what becomes of a payload.
type Preview struct {
	Payload    string  `json:"payload"`
	Event      string  `json:"event,omitempty"` // its kind
	DeliveryID string  `json:"deliveryId,omitempty"`
	Outcome    Outcome `json:"outcome"`
	Status     int     `json:"status,omitempty"` // HTTP, of what is refused
	Reason     string  `json:"reason,omitempty"` // of what is ignored or a dead letter

	Route   int    `json:"route,omitempty"` // counted from 1
	Line    int    `json:"line,omitempty"`  // of the route, in the mapping file
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`

	base         string          // of the URL, if it is configured
	Method       string          `json:"method,omitempty"`
	URL          string          `json:"url,omitempty"`
	Body         json.RawMessage `json:"body,omitempty"`
	Attachments  []File          `json:"attachments,omitempty"`
	NotAttached  []string        `json:"notAttached,omitempty"` // the event has no file for these elements
	OnLostAnswer string          `json:"onLostAnswer,omitempty"`
	Lookup       *Lookup         `json:"lookup,omitempty"`

	Problems []Remark `json:"problems"`
	Warnings []Remark `json:"warnings"`

	*Difference // after [Preview.Compare]
}

// File is an attachment, but for what is as it is by default.
type File struct {
	Element  string `json:"element"`
	URL      string `json:"url"`
	Want     string `json:"want,omitempty"`    // what the file must be
	Account  string `json:"account,omitempty"` // of TestFairy, that it is asked for with
	Filename string `json:"filename,omitempty"`
	Field    string `json:"field"` // of the multipart form
	Optional bool   `json:"optional,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

// Lookup is how a ticket is found whose answer was lost.
type Lookup struct {
	Package      string `json:"package"`
	Column       string `json:"column"`
	TicketColumn string `json:"ticketColumn"`
	Settle       string `json:"settle"`
}

// Fields are the parameters of the request, as they are sent.
func (r Preview) Fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(r.Body, &fields) // an object, since the mapping made it; or nothing
	return fields
}

// Payload is what stands for a webhook.
type Payload struct {
	// Name tells it from others: its file's, say.
	Name string
	// Data is the body; of one that is too large at least one byte more than a
	// webhook may have.
	Data []byte

	event testfairy.Event
	err   error // of decoding
}

// NewPayload decodes a payload. That it cannot be decoded is no error here: it is
// what a preview tells.
func NewPayload(name string, data []byte) Payload {
	p := Payload{Name: name, Data: data}
	p.event, p.err = testfairy.Decode(data)
	return p
}

// Fields returns which fields the payloads have, by kind.
func Fields(payloads []Payload) map[testfairy.Kind][]string {
	seen := map[testfairy.Kind][]string{}
	for _, p := range payloads {
		for name := range p.event.Fields {
			if kind := p.event.Kind; !slices.Contains(seen[kind], name) {
				seen[kind] = append(seen[kind], name)
			}
		}
	}
	return seen
}
