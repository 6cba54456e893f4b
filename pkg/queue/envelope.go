// Package queue has the words of both queues: the message envelope, the
// attributes of a dead letter, its reason and its stage.
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

// MaxBodyBytes is the longest message body that is sent. SQS counts a message's
// attributes into its 1 MiB; the room left is for those that a dead letter adds
// to the same body.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const MaxBodyBytes = 1<<20 - 8<<10

// version is the envelope's form. A worker refuses what it does not know, and
// so a newer ingest cannot be misread by an older worker.
const version = 1

// ErrMalformed says that a message is not one of ours.
var ErrMalformed = errors.New("not a FairBridge message")

// ErrTooLarge says that a message would exceed [MaxBodyBytes].
var ErrTooLarge = errors.New("message too large for SQS")

// Envelope is the body of a message.
type Envelope struct {
	Version    int       `json:"version"`
	DeliveryID string    `json:"deliveryId"`
	ReceivedAt time.Time `json:"receivedAt"`
	// Event is the payload as TestFairy sent it, with the characters that SQS
	// refuses escaped.
	Event json.RawMessage `json:"event"`
	// Edits are what people corrected in the event, in their order.
	Edits []Edit `json:"edits,omitempty"`
}

// Encode gives the message body. The event goes in byte for byte.
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
	if e.Version != version {
		return Envelope{}, fmt.Errorf("%w: envelope version %d, want %d", ErrMalformed, e.Version, version)
	}
	if !IsDeliveryID(e.DeliveryID) {
		return Envelope{}, fmt.Errorf("%w: deliveryId is not a SHA-256 in hex", ErrMalformed)
	}
	if e.ReceivedAt.IsZero() {
		return Envelope{}, fmt.Errorf("%w: receivedAt is missing", ErrMalformed)
	}
	if len(e.Event) == 0 || e.Event[0] != '{' {
		return Envelope{}, fmt.Errorf("%w: event is not an object", ErrMalformed)
	}
	return e, nil
}

// JSONFault describes a fault without quoting the message, which may hold what
// a tester wrote.
func JSONFault(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	}
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Sprintf("%s has the wrong type", typ.Field)
	}
	return "not an envelope"
}

// IsDeliveryID says whether s is a SHA-256 in hex.
func IsDeliveryID(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// ShortID is enough of a delivery id to name it.
func ShortID(id string) string { return id[:min(12, len(id))] }

// DeliveryID returns the delivery id of a message: the envelope's, or the SHA-256
// of a body that is no envelope. What is not ours has no delivery id; its content
// stands in, so that its dead letter is written once as well.
func DeliveryID(body string) string {
	if e, err := Decode(body); err == nil {
		return e.DeliveryID
	}
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}
