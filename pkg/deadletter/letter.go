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
	// MessageID is SQS's. It changes with every redrive.
	MessageID string
	// SentAt is when the message came into its first queue: a message that SQS
	// moved keeps that time. 14 days after it SQS deletes the letter.
	SentAt time.Time
	Body   string
	// Kept says that the queue does not have it any more: it is what the ledger keeps.
	Kept bool
	// Entry is what the ledger has of the delivery, where it was asked for; nil if
	// that is nothing.
	Entry *ledger.Entry
}

// letterOf reads a received message.
func letterOf(m types.Message) Letter {
	millis, _ := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	l := Letter{
		DeadLetter: queue.ParseDeadLetter(m.MessageAttributes),
		MessageID:  aws.ToString(m.MessageId),
		SentAt:     time.UnixMilli(millis).UTC(),
		Body:       aws.ToString(m.Body),
	}
	if !queue.IsDeliveryID(l.DeliveryID) { // somebody else's message
		l.DeliveryID = queue.DeliveryID(l.Body)
	}
	if _, moved := m.Attributes[string(types.MessageSystemAttributeNameDeadLetterQueueSourceArn)]; moved || l.Reason == "" {
		// SQS's own redrive sends a letter with the attributes that it has. If it
		// then runs out of receives they tell of the time before.
		l.DeadLetter = queue.DeadLetter{
			DeliveryID: l.DeliveryID, Event: l.Event, Reason: queue.ReasonWorkerDied, Generation: l.Generation, Replays: l.Replays,
		}
	}
	return l
}

// Moved says whether no worker wrote the letter: SQS moved the message itself,
// after too many receives. What went wrong last is in the ledger.
func (l Letter) Moved() bool { return l.Reason == queue.ReasonWorkerDied && l.FailedAt.IsZero() }

// DiedAt is when the delivery became a dead letter or, for one that SQS moved,
// when its message was sent.
func (l Letter) DiedAt() time.Time {
	if l.FailedAt.IsZero() {
		return l.SentAt
	}
	return l.FailedAt
}

// ReplayCount is how often the delivery has been replayed, as far as the letter
// knows. SQS's own redrive does not count in Replays, but what a worker then
// writes is of the next generation.
func (l Letter) ReplayCount() int {
	n := l.Generation
	if !l.Moved() {
		n-- // the generation counts this letter, too
	}
	return max(n, l.Replays, 0)
}

// Payload decodes the letter's TestFairy event. The error wraps [ErrMalformed],
// or is one of testfairy's.
func (l Letter) Payload() (testfairy.Event, error) {
	e, err := queue.Decode(l.Body)
	if err != nil {
		return testfairy.Event{}, err
	}
	return testfairy.Decode(e.Event)
}

// line is the letter as it is written down.
func (l Letter) line() queue.Line {
	return queue.Line{DeadLetter: l.DeadLetter, SentAt: l.SentAt, Body: l.Body}
}

// keep is what the ledger keeps of a letter: itself, and what it died of.
func (l Letter) keep() ([]byte, ledger.Fault, error) {
	var kept bytes.Buffer
	err := l.line().Write(&kept)
	return kept.Bytes(), ledger.Fault{
		Reason: string(l.Reason), Stage: string(l.Stage), Status: l.Status, Text: l.Description, At: l.DiedAt(),
	}, err
}

// attributes are those of the letter in the dead-letter queue.
func (l Letter) attributes() map[string]types.MessageAttributeValue {
	if l.Moved() {
		return l.deliveryAttributes(l.Replays)
	}
	return l.DeadLetter.Attributes()
}

// deliveryAttributes are those of the letter in the work queue.
func (l Letter) deliveryAttributes(replays int) map[string]types.MessageAttributeValue {
	return queue.ReplayAttributes(l.DeliveryID, l.Event, l.Generation, replays)
}

// Case is a delivery that has letters: the newest of them, and the others. There
// are others when a worker died between writing a letter and marking the
// delivery, or a command between sending a letter and deleting it; one is enough
// to go on with.
type Case struct {
	Letter
	Copies []Letter
	// corrected are the edits that this replay makes.
	corrected []queue.Edit
	// Webhook is the letter's decoded event: empty if it was not asked for or
	// cannot be decoded.
	Webhook testfairy.Event
}

// Count is how many letters the delivery has.
func (c Case) Count() int { return 1 + len(c.Copies) }

// Cases puts the letters of the same delivery together, the longest dead first.
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

// newer says which of a delivery's letters is the one to go on with: that of the
// last generation, and of copies the one that was replayed, and so edited, last.
func newer(a, b Letter) bool {
	return cmp.Or(
		cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Replays, b.Replays),
		a.FailedAt.Compare(b.FailedAt), a.SentAt.Compare(b.SentAt), cmp.Compare(a.MessageID, b.MessageID),
	) > 0
}
