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

// Reason says why a delivery became a dead letter.
type Reason string

// The reasons that the worker gives. A message that SQS itself moved after too
// many receives carries none.
const (
	ReasonMalformed          Reason = "malformed"           // not a message of ours
	ReasonUnroutable         Reason = "unroutable"          // no route wants it
	ReasonMapping            Reason = "mapping"             // a template, a choice or a required value failed
	ReasonRejected           Reason = "rejected"            // Centercode refused it for good
	ReasonNotFound           Reason = "not_found"           // Centercode knows no such endpoint
	ReasonAmbiguous          Reason = "ambiguous"           // the answer was lost: there may be a ticket
	ReasonAttachmentSource   Reason = "attachment_source"   // the file cannot be had; the ticket stays
	ReasonRetriesExhausted   Reason = "retries_exhausted"   // it was tried for as long as retry.for says
	ReasonWorkerDied         Reason = "worker_died"         // it ended its workers without a word, or SQS gave it up
	ReasonAttachmentEndpoint Reason = "attachment_endpoint" // Centercode named no place for the file; the ticket stays
	ReasonHeldTooLong        Reason = "held_too_long"       // the queue would soon have forgotten it
)

// Reasons are all the reasons a letter can have, in alphabetical order.
func Reasons() []Reason {
	return []Reason{
		ReasonAmbiguous, ReasonAttachmentEndpoint, ReasonAttachmentSource, ReasonHeldTooLong, ReasonMalformed, ReasonMapping,
		ReasonNotFound, ReasonRejected, ReasonRetriesExhausted, ReasonUnroutable, ReasonWorkerDied,
	}
}

// Stage is a step of a delivery: where it failed.
type Stage string

// The stages, in their order.
const (
	StageDecode     Stage = "decode"      // read the message
	StageClaim      Stage = "claim"       // take the delivery in hand
	StageMap        Stage = "map"         // find its route and what its fields become
	StageSecret     Stage = "secret"      // read an API key
	StageLookUp     Stage = "look_up"     // find a ticket whose answer was lost
	StageCreate     Stage = "create"      // make the ticket
	StageAttach     Stage = "attach"      // send a file
	StageComplete   Stage = "complete"    // write down that all is done
	StageDeadLetter Stage = "dead_letter" // write a dead letter
	StageDrop       Stage = "drop"        // a person gave it up
)

// Stages are all stages, in alphabetical order.
func Stages() []Stage {
	return []Stage{
		StageAttach, StageClaim, StageComplete, StageCreate, StageDeadLetter, StageDecode, StageDrop,
		StageLookUp, StageMap, StageSecret,
	}
}

// The names of the message attributes. SQS allows ten a message: a dead letter
// that was replayed has them all.
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

// MaxDescription is the most that a dead letter says, in characters.
const MaxDescription = 1000

// DeadLetter is what the worker says of a delivery that needs a person. It
// travels as message attributes, so that the body stays as it was and SQS's own
// redrive works on it.
type DeadLetter struct {
	DeliveryID string `json:"deliveryId"`
	// Event is the kind of the TestFairy event.
	Event  string `json:"event,omitempty"`
	Reason Reason `json:"reason"`
	// Stage is the step that failed.
	Stage Stage `json:"stage,omitempty"`
	// Status is the HTTP status that Centercode or the attachment's source
	// gave, 0 if there was none.
	Status int `json:"status,omitempty"`
	// Description says what happened, in at most MaxDescription characters
	// and without a secret.
	Description string `json:"description,omitempty"`
	// Attempts is how often the worker had the delivery in hand.
	Attempts int       `json:"attempts,omitempty"`
	FailedAt time.Time `json:"failedAt,omitzero"`
	// Generation is how often the delivery has become a dead letter, this time
	// included. A message that is replayed or redriven keeps it, and so tells
	// the worker which copy it is.
	Generation int `json:"generation"`
	// Replays is how often the message was replayed. The generation does not tell:
	// it stays as it is when SQS itself moves the message.
	Replays int `json:"replays,omitempty"`
}

// DeliveryAttributes are the attributes of a message on its first way.
func DeliveryAttributes(deliveryID, event string) map[string]types.MessageAttributeValue {
	attrs := map[string]types.MessageAttributeValue{}
	text(attrs, attrDeliveryID, deliveryID)
	text(attrs, attrEvent, event)
	return attrs
}

// ReplayAttributes are those of a message that comes out of a dead letter. The
// generation tells the worker this copy from an older one.
func ReplayAttributes(deliveryID, event string, generation, replays int) map[string]types.MessageAttributeValue {
	attrs := DeliveryAttributes(deliveryID, event)
	// A letter that SQS moved may be of a message without one. To say 0 would make
	// an old copy of it, if the delivery had died before.
	if generation > 0 {
		number(attrs, attrGeneration, generation)
	}
	if replays > 0 {
		number(attrs, attrReplays, replays)
	}
	return attrs
}

// Attributes are the letter as message attributes.
func (d DeadLetter) Attributes() map[string]types.MessageAttributeValue {
	attrs := DeliveryAttributes(d.DeliveryID, d.Event)
	text(attrs, attrReason, string(d.Reason))
	text(attrs, attrStage, string(d.Stage))
	text(attrs, attrDescription, Describe(d.Description))
	text(attrs, attrFailedAt, d.FailedAt.UTC().Format(time.RFC3339))
	number(attrs, attrStatus, d.Status)
	number(attrs, attrAttempts, d.Attempts)
	number(attrs, attrGeneration, d.Generation)
	if d.Replays > 0 {
		number(attrs, attrReplays, d.Replays)
	}
	return attrs
}

// ParseDeadLetter reads the attributes back. A message without any, which SQS
// moved after too many receives, gives a letter with an empty Reason.
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

// Generation reads how often the message was a dead letter before, as Lambda's
// event source mapping hands it over. marked is false if it does not say so: on
// its first way, or sent by hand.
func Generation(attrs map[string]events.SQSMessageAttribute) (n int, marked bool) {
	n, err := strconv.Atoi(aws.ToString(attrs[attrGeneration].StringValue))
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// Replays reads likewise how often the message was replayed.
func Replays(attrs map[string]events.SQSMessageAttribute) int {
	n, err := strconv.Atoi(aws.ToString(attrs[attrReplays].StringValue))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// Fits says whether SQS takes a text as it is.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
func Fits(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// Describe makes a text fit to be a dead letter's description: one line, and at
// most MaxDescription characters.
func Describe(s string) string {
	return clip.Text(strings.TrimSpace(printable.Line(s)), MaxDescription, "…")
}

// text leaves an empty value out: SQS refuses an empty attribute.
func text(attrs map[string]types.MessageAttributeValue, name, value string) {
	if value != "" {
		attrs[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
}

func number(attrs map[string]types.MessageAttributeValue, name string, value int) {
	attrs[name] = types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: aws.String(strconv.Itoa(value))}
}
