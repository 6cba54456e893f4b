package queue

import (
	"encoding/json"
	"io"
	"time"
)

// Line is a dead letter with everything that is needed to restore it, as JSON. It is a line
// of an export, and what the ledger keeps of a delivery that became a dead letter.
type Line struct {
	DeadLetter
	// SentAt is when the message was sent; zero if it has not been sent yet.
	SentAt time.Time `json:"sentAt"`
	Body   string    `json:"body"`
	// Entry is the delivery's ledger entry in the home that it was exported from, as JSON;
	// nil if it had none.
	Entry json.RawMessage `json:"entry,omitempty"`
}

// Write writes the line.
func (l Line) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
