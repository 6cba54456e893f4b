package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/sqlitedb"
)

const (
	// lookInterval is how often a waiting call checks the file for changes by another
	// process, and for messages that become visible, for which there is no notification.
	lookInterval = 100 * time.Millisecond
	// receivePasses bounds how many exhausted messages one receive moves, times
	// [maxReceiveAtATime]; the next one continues.
	receivePasses = 10
)

// ReceiveMessage returns visible messages and hides them for the visibility timeout (0
// means the queue's, since the SDK's client does not send a 0). With WaitTimeSeconds it
// waits for a message, and returns at once when this process sends one, and within about
// 100 ms when another process does.
//
// System attributes are requested with MessageSystemAttributeNames; the deprecated
// AttributeNames is ignored.
//
// A message that has already been received MaxReceiveCount times moves to the dead-letter
// queue instead; it keeps its id, its attributes, its sent time and its receive count.
func (s *SQS) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (_ *sqs.ReceiveMessageOutput, err error) {
	defer operation("SQS", "ReceiveMessage", &err)
	q, err := s.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	r := receive{queue: q, limit: int(in.MaxNumberOfMessages), visibility: q.VisibilityTimeout, in: in}
	if r.limit == 0 {
		r.limit = 1
	}
	if r.limit < 1 || r.limit > maxReceiveAtATime {
		return nil, invalidParameter(fmt.Sprintf("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and %d, if provided.", in.MaxNumberOfMessages, maxReceiveAtATime))
	}
	if in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > maxWaitSeconds {
		return nil, invalidParameter(fmt.Sprintf("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= %d, if provided.", in.WaitTimeSeconds, maxWaitSeconds))
	}
	if in.VisibilityTimeout != 0 {
		if r.visibility, err = visibilityTimeout(in.VisibilityTimeout); err != nil {
			return nil, err
		}
	}
	end := time.NewTimer(time.Duration(in.WaitTimeSeconds) * time.Second)
	defer end.Stop()
	for {
		notification := s.notifier.next(q.id)
		messages, err := s.receive(ctx, r)
		if err != nil {
			return nil, err
		}
		if len(messages) > 0 || in.WaitTimeSeconds == 0 {
			return &sqs.ReceiveMessageOutput{Messages: messages}, nil
		}
		select {
		case <-notification:
		case <-time.After(lookInterval):
		case <-end.C:
			return &sqs.ReceiveMessageOutput{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// receive is the parameters of one call.
type receive struct {
	queue      queue
	limit      int
	visibility time.Duration
	in         *sqs.ReceiveMessageInput
}

func (s *SQS) receive(ctx context.Context, r receive) ([]types.Message, error) {
	if err := s.keepWaits(ctx); err != nil {
		return nil, err
	}
	// Most checks of a long poll find nothing, and need no write lock.
	var found int
	err := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM messages WHERE queue = ? AND visible_at <= ? LIMIT 1)",
		r.queue.id, s.now().UnixMilli()).Scan(&found)
	if err != nil || found == 0 {
		return nil, err
	}
	type move struct {
		delivery string
		receives int64
	}
	var messages []types.Message
	var moved []move
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		messages, moved = nil, nil
		now := s.now()
		for range receivePasses {
			rows, err := candidates(tx, r, now, r.limit-len(messages))
			if err != nil {
				return err
			}
			for _, row := range rows {
				if r.queue.deadLetters.Valid && row.receives >= int64(r.queue.MaxReceiveCount) {
					var delivery string
					delivery, err = redrive(tx, r.queue, row, now)
					moved = append(moved, move{delivery, row.receives})
				} else {
					var m types.Message
					m, err = hand(tx, r, row, now)
					messages = append(messages, m)
				}
				if err != nil {
					return err
				}
			}
			if len(rows) == 0 || len(messages) == r.limit {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range moved {
		s.notifier.notify(r.queue.deadLetters.Int64)
		if s.Moved != nil {
			s.Moved(m.delivery, m.receives)
		}
	}
	return messages, nil
}

// row is a message as stored in the file.
type row struct {
	seq, sentAt, receives int64
	firstReceivedAt       sql.NullInt64
	id, body, attributes  string
	source                sql.NullString // the queue's name
}

// selectRows reads rows for [messageRows]; the caller appends the rest of the statement.
const selectRows = `SELECT m.seq, m.id, m.sent_at, m.receives, m.first_received_at, s.name, c.body, c.attributes
	FROM messages m JOIN contents c USING (seq) LEFT JOIN queues s ON s.id = m.source `

// messageRows iterates over the result of a query that begins with selectRows.
func messageRows(rows *sql.Rows, err error) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r, err := range sqlitedb.Rows(rows, err) {
			var m row
			if err == nil {
				err = r.Scan(&m.seq, &m.id, &m.sentAt, &m.receives, &m.firstReceivedAt, &m.source, &m.body, &m.attributes)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// candidates reads the messages that are due next.
func candidates(tx *sqlitedb.Tx, r receive, now time.Time, limit int) ([]row, error) {
	// A bare LIMIT ? would have SQLite plan by the parameter's value, and so compile the
	// statement again each time that it is bound.
	rows := messageRows(tx.Query(selectRows+"WHERE m.queue = ? AND m.visible_at <= ? ORDER BY m.visible_at, m.receives, m.seq LIMIT ? + 0",
		r.queue.id, now.UnixMilli(), limit))
	var found []row
	for m, err := range rows {
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// redrive moves a message to the dead-letter queue, and returns its delivery. Its receipt
// handles become invalid.
func redrive(tx *sqlitedb.Tx, q queue, m row, now time.Time) (delivery string, err error) {
	err = tx.QueryRow("UPDATE messages SET queue = ?, visible_at = ?, wait_ms = 0, receipt = NULL, held = 0, source = ? WHERE seq = ? RETURNING delivery",
		q.deadLetters.Int64, now.UnixMilli(), q.id, m.seq).Scan(&delivery)
	return delivery, err
}

// hand returns a message with a new receipt handle.
func hand(tx *sqlitedb.Tx, r receive, m row, now time.Time) (types.Message, error) {
	receipt := newReceipt(m.seq)
	millis := now.UnixMilli()
	_, err := tx.Exec(`UPDATE messages SET visible_at = ?1, wait_ms = ?2, receives = receives + 1, received_at = ?3,
		first_received_at = coalesce(first_received_at, ?3), receipt = ?4, held = 1 WHERE seq = ?5`,
		now.Add(r.visibility).UnixMilli(), r.visibility.Milliseconds(), millis, receipt.nonce, m.seq)
	if err != nil {
		return types.Message{}, err
	}
	// Messages sent from now on get a later sent time than this one, whatever the clock
	// says: one of them may follow from it.
	if _, err := tx.Exec("UPDATE sent SET at = ?1 + 1 WHERE at <= ?1", m.sentAt); err != nil {
		return types.Message{}, err
	}
	m.receives++
	if !m.firstReceivedAt.Valid {
		m.firstReceivedAt = sql.NullInt64{Int64: millis, Valid: true}
	}
	message, err := m.message(r.in.MessageAttributeNames, r.in.MessageSystemAttributeNames)
	message.ReceiptHandle = aws.String(receipt.String())
	message.MD5OfBody, message.MD5OfMessageAttributes = md5Hex(m.body), attributesMD5(message.MessageAttributes)
	return message, err
}

// message returns the row as a message, without what comes from a receive.
func (m row) message(attributes []string, system []types.MessageSystemAttributeName) (types.Message, error) {
	wanted, err := decodeAttributes(m.attributes, attributes)
	return types.Message{
		MessageId: aws.String(m.id), Body: aws.String(m.body), MessageAttributes: wanted, Attributes: systemAttributes(m, system),
	}, err
}

// systemAttributes returns the requested ones.
func systemAttributes(m row, wanted []types.MessageSystemAttributeName) map[string]string {
	all := map[types.MessageSystemAttributeName]string{
		types.MessageSystemAttributeNameSenderId:                         AccountID,
		types.MessageSystemAttributeNameSentTimestamp:                    strconv.FormatInt(m.sentAt, 10),
		types.MessageSystemAttributeNameApproximateReceiveCount:          strconv.FormatInt(m.receives, 10),
		types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp: strconv.FormatInt(m.firstReceivedAt.Int64, 10),
	}
	if m.source.Valid {
		all[types.MessageSystemAttributeNameDeadLetterQueueSourceArn] = Queue{Name: m.source.String}.arn()
	}
	return requested(all, wanted, types.MessageSystemAttributeNameAll)
}
