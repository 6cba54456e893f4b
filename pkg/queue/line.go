package queue

import (
	"encoding/json"
	"io"
	"time"
)

// Line is a dead letter with all that is needed to make it again, as JSON: a line
// of an export, and what the ledger keeps of a delivery that died.
type Line struct {
	DeadLetter
	// SentAt is when the message was sent; zero if it is still to be.
	SentAt time.Time `json:"sentAt"`
	Body   string    `json:"body"`
	// Entry is what the ledger of the home that it comes from has of the delivery,
	// as JSON; nil if nothing.
	Entry json.RawMessage `json:"entry,omitempty"`
}

// Write writes one line.
func (l Line) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
