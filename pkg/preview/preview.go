// Package preview shows what a payload becomes, without sending anything: the exact request
// that Centercode would receive, or why there would be none, and how that differs under
// another mapping file.
package preview

import (
	"encoding/json"
	"slices"

	"fairbridge/pkg/testfairy"
)

// noBaseURL stands for the address while no Centercode is configured. It is not shown.
const noBaseURL = "https://centercode.invalid"

// Outcome is what a payload becomes.
type Outcome string

// The outcomes.
const (
	Ticket     Outcome = "ticket"
	Ignored    Outcome = "ignored"     // answered 200, and nothing else happens
	Refused    Outcome = "refused"     // answered with an error; never in the queue
	DeadLetter Outcome = "dead_letter" // accepted, but no ticket without a person
)

// Preview is what a payload becomes, in detail.
type Preview struct {
	Payload    string  `json:"payload"`
	Event      string  `json:"event,omitempty"` // its kind
	DeliveryID string  `json:"deliveryId,omitempty"`
	Outcome    Outcome `json:"outcome"`
	Status     int     `json:"status,omitempty"` // HTTP status of a refusal
	Reason     string  `json:"reason,omitempty"` // why it is ignored or a dead letter

	Route   int    `json:"route,omitempty"` // counted from 1
	Line    int    `json:"line,omitempty"`  // of the route, in the mapping file
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`

	base         string          // from the URL, if it is configured
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

// File is an attachment, without settings that have their default.
type File struct {
	Element  string `json:"element"`
	URL      string `json:"url"`
	Want     string `json:"want,omitempty"`    // the expected kind of file
	Account  string `json:"account,omitempty"` // TestFairy account for the request
	Filename string `json:"filename,omitempty"`
	Field    string `json:"field"` // of the multipart form
	Optional bool   `json:"optional,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

// Lookup is how to find a ticket whose answer was lost.
type Lookup struct {
	Package      string `json:"package"`
	Column       string `json:"column"`
	TicketColumn string `json:"ticketColumn"`
	Settle       string `json:"settle"`
}

// Fields returns the parameters of the request, as they are sent.
func (r Preview) Fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(r.Body, &fields) // an object, since the mapping made it; or empty
	return fields
}

// Payload is a payload to preview, in place of a webhook.
type Payload struct {
	// Name identifies it: its file's name, for example.
	Name string
	// Data is the body. If it is too large, at least one byte more than a webhook may have.
	Data []byte

	event testfairy.Event
	err   error // from decoding
}

// NewPayload decodes a payload. A decoding error is not returned but becomes part of the
// preview.
func NewPayload(name string, data []byte) Payload {
	p := Payload{Name: name, Data: data}
	p.event, p.err = testfairy.Decode(data)
	return p
}

// Fields returns the names of the payloads' fields, by kind.
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
