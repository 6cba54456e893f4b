package queue

import (
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/printable"
)

// Reason is why a delivery became a dead letter.
type Reason string

// The reasons that the worker writes. A message that SQS itself moved after too many
// receives has none.
const (
	ReasonMalformed          Reason = "malformed"           // not a FairBridge message
	ReasonUnroutable         Reason = "unroutable"          // no route matches it
	ReasonMapping            Reason = "mapping"             // a template, a choice or a required value failed
	ReasonRejected           Reason = "rejected"            // Centercode refused it permanently
	ReasonNotFound           Reason = "not_found"           // Centercode does not know the endpoint
	ReasonAmbiguous          Reason = "ambiguous"           // the answer was lost: a ticket may exist
	ReasonAttachmentSource   Reason = "attachment_source"   // the file cannot be fetched; the ticket stays
	ReasonRetriesExhausted   Reason = "retries_exhausted"   // it kept failing for all of retry.for
	ReasonWorkerDied         Reason = "worker_died"         // its workers ended without recording a result, or SQS moved it
	ReasonAttachmentEndpoint Reason = "attachment_endpoint" // Centercode returned no place to upload to; the ticket stays
	ReasonHeldTooLong        Reason = "held_too_long"       // the queue's retention period was about to end
)

// Reasons returns every reason that a dead letter can have, in alphabetical order.
func Reasons() []Reason {
	return []Reason{
		ReasonAmbiguous, ReasonAttachmentEndpoint, ReasonAttachmentSource, ReasonHeldTooLong, ReasonMalformed, ReasonMapping,
		ReasonNotFound, ReasonRejected, ReasonRetriesExhausted, ReasonUnroutable, ReasonWorkerDied,
	}
}

// Stage is the step of a delivery that failed.
type Stage string

// The stages, in the order in which a delivery goes through them.
const (
	StageDecode     Stage = "decode"      // read the message
	StageClaim      Stage = "claim"       // take the lease on the delivery
	StageMap        Stage = "map"         // find its route and map its fields
	StageSecret     Stage = "secret"      // read an API key
	StageLookUp     Stage = "look_up"     // look for a ticket whose answer was lost
	StageCreate     Stage = "create"      // create the ticket
	StageAttach     Stage = "attach"      // upload a file
	StageComplete   Stage = "complete"    // record that the delivery is complete
	StageDeadLetter Stage = "dead_letter" // write a dead letter
	StageDrop       Stage = "drop"        // a person dropped it
)

// Stages returns every stage, in alphabetical order.
func Stages() []Stage {
	return []Stage{
		StageAttach, StageClaim, StageComplete, StageCreate, StageDeadLetter, StageDecode, StageDrop,
		StageLookUp, StageMap, StageSecret,
	}
}

// The names of the message attributes. SQS allows ten attributes a message, and a dead
// letter that was replayed uses all of them.
const (
	attrDeliveryID  = "deliveryId"
	attrEvent       = "event"
	attrReason      = "reason"
	attrStage       = "stage"
	attrStatus      = "status"
	attrDescription = "description"
	attrAttempts    = "attempts"
	attrFailedAt    = "failedAt"
	attrGeneration  = "generation"
	attrReplays     = "replays"
)

// MaxDescription is the maximum length of a dead letter's description, in characters.
const MaxDescription = 1000

// DeadLetter describes why a delivery needs a person. It travels in message attributes, so
// that the body stays unchanged and SQS's own redrive works on it.
type DeadLetter struct {
	DeliveryID string `json:"deliveryId"`
	// Event is the kind of the TestFairy event.
	Event  string `json:"event,omitempty"`
	Reason Reason `json:"reason"`
	// Stage is the step that failed.
	Stage Stage `json:"stage,omitempty"`
	// Status is the HTTP status from Centercode or from the attachment's source, 0 if there
	// was none.
	Status int `json:"status,omitempty"`
	// Description is what happened, in at most MaxDescription characters and without a
	// secret.
	Description string `json:"description,omitempty"`
	// Attempts is how often a worker has worked on the delivery.
	Attempts int       `json:"attempts,omitempty"`
	FailedAt time.Time `json:"failedAt,omitzero"`
	// Generation is how often the delivery has become a dead letter, including this time. A
	// message that is replayed or redriven keeps it, so that the worker can tell the copies
	// apart.
	Generation int `json:"generation"`
	// Replays is how often the message was replayed. It can differ from the generation,
	// which does not change when SQS itself moves the message.
	Replays int `json:"replays,omitempty"`
}

// DeliveryAttributes returns the attributes of a new message.
func DeliveryAttributes(deliveryID, event string) map[string]types.MessageAttributeValue {
	attrs := map[string]types.MessageAttributeValue{}
	text(attrs, attrDeliveryID, deliveryID)
	text(attrs, attrEvent, event)
	return attrs
}

// ReplayAttributes returns the attributes of a message made from a dead letter. The
// generation distinguishes this copy from older ones.
func ReplayAttributes(deliveryID, event string, generation, replays int) map[string]types.MessageAttributeValue {
	attrs := HandOverAttributes(deliveryID, event, generation, replays)
	// A letter that SQS moved may have no generation. A 0 would make the message an old
	// copy if the delivery had been a dead letter before.
	if generation == 0 {
		delete(attrs, attrGeneration)
	}
	return attrs
}

// HandOverAttributes are those of a message that continues in the files queue. The
// generation is that of the ledger's entry, 0 too: what dies meanwhile makes an old
// copy of this message, whenever it was sent.
func HandOverAttributes(deliveryID, event string, generation, replays int) map[string]types.MessageAttributeValue {
	attrs := DeliveryAttributes(deliveryID, event)
	number(attrs, attrGeneration, generation)
	if replays > 0 {
		number(attrs, attrReplays, replays)
	}
	return attrs
}

// Attributes returns the letter as message attributes.
func (d DeadLetter) Attributes() map[string]types.MessageAttributeValue {
	attrs := HandOverAttributes(d.DeliveryID, d.Event, d.Generation, d.Replays)
	text(attrs, attrReason, string(d.Reason))
	text(attrs, attrStage, string(d.Stage))
	text(attrs, attrDescription, Describe(d.Description))
	text(attrs, attrFailedAt, d.FailedAt.UTC().Format(time.RFC3339))
	number(attrs, attrStatus, d.Status)
	number(attrs, attrAttempts, d.Attempts)
	return attrs
}

// ParseDeadLetter reads what [DeadLetter.Attributes] wrote. A message without those
// attributes, which SQS moved after too many receives, gives a letter with an empty Reason.
func ParseDeadLetter(attrs map[string]types.MessageAttributeValue) DeadLetter {
	get := func(name string) string { return aws.ToString(attrs[name].StringValue) }
	atoi := func(name string) int {
		n, _ := strconv.Atoi(get(name))
		return n
	}
	failedAt, _ := time.Parse(time.RFC3339, get(attrFailedAt))
	return DeadLetter{
		DeliveryID:  get(attrDeliveryID),
		Event:       get(attrEvent),
		Reason:      Reason(get(attrReason)),
		Stage:       Stage(get(attrStage)),
		Status:      atoi(attrStatus),
		Description: get(attrDescription),
		Attempts:    atoi(attrAttempts),
		FailedAt:    failedAt,
		Generation:  atoi(attrGeneration),
		Replays:     max(atoi(attrReplays), 0),
	}
}

// Generation reads how often the message has been a dead letter, from the attributes that
// Lambda's event source mapping passes on. marked is false if the message has no such
// attribute: it is new, or was sent by hand.
func Generation(attrs map[string]events.SQSMessageAttribute) (n int, marked bool) {
	n, err := strconv.Atoi(aws.ToString(attrs[attrGeneration].StringValue))
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// Replays reads how often the message was replayed, likewise.
func Replays(attrs map[string]events.SQSMessageAttribute) int {
	n, err := strconv.Atoi(aws.ToString(attrs[attrReplays].StringValue))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// Fits reports whether SQS accepts every character of s. See
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
func Fits(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// Describe turns a text into a dead letter's description: one line of at most
// MaxDescription characters.
func Describe(s string) string {
	return clip.Text(strings.TrimSpace(printable.Line(s)), MaxDescription, "…")
}

// text omits an empty value: SQS refuses empty attributes.
func text(attrs map[string]types.MessageAttributeValue, name, value string) {
	if value != "" {
		attrs[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
}

func number(attrs map[string]types.MessageAttributeValue, name string, value int) {
	attrs[name] = types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: aws.String(strconv.Itoa(value))}
}
