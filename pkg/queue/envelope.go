// Package queue defines the messages of the queues: the envelope, the attributes of a dead
// letter, its reasons and its stages.
package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxBodyBytes is the largest message body that is sent. SQS counts attributes as part of a
// message's 1 MiB; the rest is left for those that a dead letter adds to the same body. See
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const MaxBodyBytes = 1<<20 - 8<<10

// version is the version of the envelope. A worker refuses versions that it does not know,
// so an older worker cannot misread a newer ingest.
const version = 1

// ErrMalformed means that a message was not written by FairBridge.
var ErrMalformed = errors.New("not a FairBridge message")

// ErrTooLarge means that a message would exceed [MaxBodyBytes].
var ErrTooLarge = errors.New("message too large for SQS")

// Envelope is the body of a message.
type Envelope struct {
	Version    int       `json:"version"`
	DeliveryID string    `json:"deliveryId"`
	ReceivedAt time.Time `json:"receivedAt"`
	// Event is the payload as TestFairy sent it, with the characters that SQS
	// refuses escaped.
	Event json.RawMessage `json:"event"`
	// Edits are the corrections that people made to the event, oldest first.
	Edits []Edit `json:"edits,omitempty"`
}

// Encode returns the message body. The event is copied byte for byte.
func (e Envelope) Encode() (string, error) {
	var b bytes.Buffer
	b.Grow(len(e.Event) + 256)
	fmt.Fprintf(&b, `{"version":%d,"deliveryId":%q,"receivedAt":%q,"event":`,
		version, e.DeliveryID, e.ReceivedAt.UTC().Format(time.RFC3339Nano))
	b.Write(e.Event)
	if len(e.Edits) > 0 {
		edits, err := json.Marshal(e.Edits)
		if err != nil {
			return "", fmt.Errorf("write the edits of a message: %w", err)
		}
		b.WriteString(`,"edits":`)
		b.Write(escapeNonCharacters(edits))
	}
	b.WriteByte('}')
	if b.Len() > MaxBodyBytes {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, b.Len(), MaxBodyBytes)
	}
	return b.String(), nil
}

// Decode reads a message body. Every error wraps [ErrMalformed].
func Decode(body string) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return Envelope{}, fmt.Errorf("%w: %s", ErrMalformed, JSONFault(err))
	}
	switch {
	case e.Version != version:
		return Envelope{}, fmt.Errorf("%w: envelope version %d, want %d", ErrMalformed, e.Version, version)
	case !IsDeliveryID(e.DeliveryID):
		return Envelope{}, fmt.Errorf("%w: deliveryId is not a SHA-256 in hex", ErrMalformed)
	case e.ReceivedAt.IsZero():
		return Envelope{}, fmt.Errorf("%w: receivedAt is missing", ErrMalformed)
	case !bytes.HasPrefix(e.Event, []byte("{")):
		return Envelope{}, fmt.Errorf("%w: event is not an object", ErrMalformed)
	}
	return e, nil
}

// JSONFault describes a JSON error without quoting the message, which may contain what a
// tester wrote.
func JSONFault(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s has the wrong type", typ.Field)
	}
	return "not an envelope"
}

// IsDeliveryID reports whether s is a SHA-256 in hex.
func IsDeliveryID(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// ShortID returns enough of a delivery id for people to recognise it.
func ShortID(id string) string { return id[:min(12, len(id))] }

// DeliveryID returns the delivery id in a message's envelope. For a body that is not an
// envelope it returns the SHA-256 of the body, so that its dead letter too is written only
// once.
func DeliveryID(body string) string {
	if e, err := Decode(body); err == nil {
		return e.DeliveryID
	}
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}
