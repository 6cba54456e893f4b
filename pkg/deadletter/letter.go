package deadletter

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// Letter is a message of the dead-letter queue.
type Letter struct {
	queue.DeadLetter
	// MessageID is SQS's id of the message. It changes with every redrive.
	MessageID string
	// SentAt is when the message was sent to its first queue: a message that SQS moved
	// keeps that time. SQS deletes the letter 14 days after it.
	SentAt time.Time
	Body   string
	// Kept means that the letter is no longer in the queue, and comes from the ledger.
	Kept bool
	// Entry is the delivery's ledger entry, if it was read; nil if there is none.
	Entry *ledger.Entry
	// Webhook is the decoded event: empty if it was not requested or cannot be decoded.
	Webhook testfairy.Event
	// meant means that a query selects it.
	meant bool
}

// letterOf decodes a received message.
func letterOf(m types.Message) Letter {
	millis, _ := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	l := Letter{
		DeadLetter: queue.ParseDeadLetter(m.MessageAttributes),
		MessageID:  aws.ToString(m.MessageId),
		SentAt:     time.UnixMilli(millis).UTC(),
		Body:       aws.ToString(m.Body),
	}
	if !queue.IsDeliveryID(l.DeliveryID) { // not a FairBridge message
		l.DeliveryID = queue.DeliveryID(l.Body)
	}
	if _, moved := m.Attributes[string(types.MessageSystemAttributeNameDeadLetterQueueSourceArn)]; moved || l.Reason == "" {
		// SQS's own redrive keeps a letter's attributes. If the message then exceeds
		// maxReceiveCount, they describe the previous death.
		l.DeadLetter = queue.DeadLetter{
			DeliveryID: l.DeliveryID, Event: l.Event, Reason: queue.ReasonWorkerDied, Generation: l.Generation, Replays: l.Replays,
		}
	}
	return l
}

// Moved reports whether SQS itself moved the message, after too many receives, so that no
// worker wrote the letter. The ledger has the last error.
func (l Letter) Moved() bool { return l.Reason == queue.ReasonWorkerDied && l.FailedAt.IsZero() }

// DiedAt returns when the delivery became a dead letter or, if SQS moved the message, when
// that was sent.
func (l Letter) DiedAt() time.Time {
	if l.FailedAt.IsZero() {
		return l.SentAt
	}
	return l.FailedAt
}

// ReplayCount returns how often the delivery has been replayed, as far as the letter shows.
// SQS's own redrive does not increase Replays, but what a worker then writes has the next
// generation.
func (l Letter) ReplayCount() int {
	n := l.Generation
	if !l.Moved() {
		n-- // the generation counts this letter as well
	}
	return max(n, l.Replays, 0)
}

// Payload decodes the letter's TestFairy event. The error wraps [ErrMalformed], or is one
// of package testfairy.
func (l Letter) Payload() (testfairy.Event, error) {
	e, err := queue.Decode(l.Body)
	if err != nil {
		return testfairy.Event{}, err
	}
	return testfairy.Decode(e.Event)
}

// line returns the letter for an export or the ledger.
func (l Letter) line() queue.Line {
	return queue.Line{DeadLetter: l.DeadLetter, SentAt: l.SentAt, Body: l.Body}
}

// keep returns what the ledger keeps of a letter: the letter itself, and its fault.
func (l Letter) keep() ([]byte, ledger.Fault, error) {
	var kept bytes.Buffer
	err := l.line().Write(&kept)
	return kept.Bytes(), ledger.Fault{
		Reason: string(l.Reason), Stage: string(l.Stage), Status: l.Status, Text: l.Description, At: l.DiedAt(),
	}, err
}

// attributes returns the letter's attributes in the dead-letter queue.
func (l Letter) attributes() map[string]types.MessageAttributeValue {
	if l.Moved() {
		return queue.ReplayAttributes(l.DeliveryID, l.Event, l.Generation, l.Replays)
	}
	return l.DeadLetter.Attributes()
}

// replayAttributes returns the attributes of the letter's next message in the work queue.
func (l Letter) replayAttributes() map[string]types.MessageAttributeValue {
	return queue.ReplayAttributes(l.DeliveryID, l.Event, l.Generation, l.ReplayCount()+1)
}

// Case is a delivery with its letters: the newest, and any others. There are others if a
// worker died between writing a letter and recording it, or a command between sending a
// letter and deleting it; one is enough for a replay.
type Case struct {
	Letter
	Copies []Letter
	// corrected are the edits of this replay.
	corrected []queue.Edit
}

// Count returns how many letters the delivery has.
func (c Case) Count() int { return 1 + len(c.Copies) }

// Cases groups letters by delivery, the oldest death first.
func Cases(letters []Letter) []Case {
	at := map[string]int{}
	var cases []Case
	for _, l := range letters {
		i, known := at[l.DeliveryID]
		if !known {
			at[l.DeliveryID] = len(cases)
			cases = append(cases, Case{Letter: l})
			continue
		}
		c := &cases[i]
		if newer(l, c.Letter) {
			l, c.Letter = c.Letter, l
		}
		c.Copies = append(c.Copies, l)
	}
	slices.SortFunc(cases, func(a, b Case) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), cmp.Compare(a.DeliveryID, b.DeliveryID))
	})
	return cases
}

// newer reports whether a supersedes b, a letter of the same delivery: the last generation
// does, and of copies the one that was replayed, and so edited, last.
func newer(a, b Letter) bool {
	return cmp.Or(
		cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Replays, b.Replays),
		a.FailedAt.Compare(b.FailedAt), a.SentAt.Compare(b.SentAt), cmp.Compare(a.MessageID, b.MessageID),
	) > 0
}
