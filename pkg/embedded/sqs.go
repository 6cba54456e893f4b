package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/sqlitedb"
)

const (
	// Region and AccountID take the place of AWS's own in ARNs and events.
	Region    = "embedded"
	AccountID = "000000000000"

	queueURLPrefix = "embedded://sqs/"
	queueARNPrefix = "arn:aws:sqs:" + Region + ":" + AccountID + ":"
)

// SQS implements SQS's calls with the SQLite file, with the semantics of standard queues: a
// message is on disk when SendMessage returns; it is delivered at least once, roughly in
// the order of sending; after too many receives it moves to the dead-letter queue. It is
// safe for concurrent use, by several processes on one file as well.
//
// The calls have the SDK's signatures and errors: a type of service/sqs/types where there
// is one, otherwise a smithy.APIError with SQS's code.
//
// Where SQS leaves a choice: only the last receipt handle of a message counts.
// DeleteMessage with an older one succeeds and deletes nothing, as SQS's reference says;
// ChangeMessageVisibility with one is a types.ReceiptHandleIsInvalid, and on a message that
// is visible again or deleted a types.MessageNotInflight. Not supported: FIFO queues,
// message groups, trace headers (both are ignored), the in-flight limit of 120,000, and
// retention periods: messages are kept forever, so nothing is lost because a machine was
// off, or its clock was changed.
type SQS struct {
	db       *sqlitedb.DB
	now      func() time.Time
	notifier notifier
	clock    clock

	// Moved is called for each message that was received too often, once it is in the
	// dead-letter queue. It must be set before the first receive; may be nil.
	Moved func(deliveryID string, receives int64)

	mu     sync.Mutex
	queues map[string]queue // by name
}

// Queue is the settings for [SQS.CreateQueue].
type Queue struct {
	Name              string        // 1 to 80 of A-Z a-z 0-9 - _
	VisibilityTimeout time.Duration // 0 to 12 h
	MaxReceiveCount   int           // receives after which a message moves to DeadLetterQueue
	DeadLetterQueue   string        // name of an existing queue, or "" for no redrive
}

// queue is a row of the queues table.
type queue struct {
	Queue
	id          int64
	deadLetters sql.NullInt64 // the id of DeadLetterQueue
}

func (q Queue) arn() string { return queueARNPrefix + q.Name }

// SQSConfig configures [NewSQS].
type SQSConfig struct {
	// DB holds the queues.
	DB *sqlitedb.DB
	// Now is the clock for timestamps and visibility; the default is [time.Now].
	// A long poll waits in real time.
	Now func() time.Time
}

// NewSQS returns the queues in a database.
func NewSQS(c SQSConfig) (*SQS, error) {
	if c.DB == nil {
		return nil, errNoDatabase
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &SQS{db: c.DB, now: c.Now, queues: map[string]queue{}}, nil
}

var errNoDatabase = errors.New("there is no database")

// CreateQueue creates a queue, or changes the settings of an existing one, and returns its
// URL.
func (s *SQS) CreateQueue(ctx context.Context, settings Queue) (url string, err error) {
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		var deadLetters sql.NullInt64
		if settings.DeadLetterQueue != "" {
			err := tx.QueryRow("SELECT id FROM queues WHERE name = ?", settings.DeadLetterQueue).Scan(&deadLetters)
			if errors.Is(err, sql.ErrNoRows) {
				return errNoQueue
			}
			if err != nil {
				return err
			}
		}
		now := s.now().UnixMilli()
		_, err := tx.Exec(`INSERT INTO queues
			(name, visibility_ms, retention_ms, max_receives, dead_letter_queue, created_at, modified_at)
			VALUES (?1, ?2, 0, ?3, ?4, ?5, ?5)
			ON CONFLICT (name) DO UPDATE SET visibility_ms = ?2, retention_ms = 0, max_receives = ?3,
				dead_letter_queue = ?4, modified_at = ?5
			WHERE (visibility_ms, retention_ms, max_receives) <> (?2, 0, ?3) OR dead_letter_queue IS NOT ?4`,
			settings.Name, settings.VisibilityTimeout.Milliseconds(), settings.MaxReceiveCount, deadLetters, now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create queue %q: %w", settings.Name, err)
	}
	s.mu.Lock()
	delete(s.queues, settings.Name) // to be read again
	s.mu.Unlock()
	return queueURLPrefix + settings.Name, nil
}

// validName applies to queue names and to the ids of batch entries.
func validName(name string) bool {
	return name != "" && len(name) <= 80 && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// queue finds the queue with that URL. It does not see settings that another process
// changes later: both run the same program.
func (s *SQS) queue(ctx context.Context, url *string) (queue, error) {
	name, ok := strings.CutPrefix(aws.ToString(url), queueURLPrefix)
	if !ok {
		return queue{}, errNoQueue
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q, ok := s.queues[name]; ok {
		return q, nil
	}
	q := queue{Queue: Queue{Name: name}}
	var visibility int64
	err := s.db.Read().QueryRowContext(ctx, `SELECT q.id, q.visibility_ms, q.max_receives, q.dead_letter_queue, coalesce(d.name, '')
		FROM queues q LEFT JOIN queues d ON d.id = q.dead_letter_queue WHERE q.name = ?`, name).
		Scan(&q.id, &visibility, &q.MaxReceiveCount, &q.deadLetters, &q.DeadLetterQueue)
	if errors.Is(err, sql.ErrNoRows) {
		return queue{}, errNoQueue
	}
	if err != nil {
		return queue{}, err
	}
	q.VisibilityTimeout = time.Duration(visibility) * time.Millisecond
	s.queues[name] = q
	return q, nil
}
