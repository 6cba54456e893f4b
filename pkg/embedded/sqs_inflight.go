package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/sqlitedb"
)

// maxVisibility is SQS's limit, counted from the receive, so that repeated extensions
// cannot exceed it either.
const maxVisibility = 12 * time.Hour

// receipt is the content of a receipt handle: the message, and which receive of it.
type receipt struct {
	seq   int64
	nonce []byte
}

const nonceBytes = 16

func newReceipt(seq int64) receipt {
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // never fails
	return receipt{seq, nonce}
}

// String returns the receipt handle.
func (r receipt) String() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.seq))
	return base64.RawURLEncoding.EncodeToString(append(b, r.nonce...))
}

func parseReceipt(handle *string) (receipt, error) {
	b, err := base64.RawURLEncoding.DecodeString(aws.ToString(handle))
	if err != nil || len(b) != 8+nonceBytes {
		return receipt{}, errReceipt("The input receipt handle is invalid.")
	}
	return receipt{int64(binary.BigEndian.Uint64(b)), b[8:]}, nil
}

func errReceipt(message string) error {
	return &types.ReceiptHandleIsInvalid{Message: aws.String(message)}
}

// each runs fn for every entry of a batch in one write. errs has fn's errors that are SQS's
// answers to an entry; any other error ends the whole call.
func (s *SQS) each(ctx context.Context, entries int, fn func(tx *sqlitedb.Tx, i int) error) (errs []error, err error) {
	if err := s.keepWaits(ctx); err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		errs = make([]error, entries)
		for i := range entries {
			errs[i] = fn(tx, i)
			if api := smithy.APIError(nil); errs[i] != nil && !errors.As(errs[i], &api) {
				return errs[i]
			}
		}
		return nil
	})
	return errs, err
}

// one runs fn, which is about one message of the queue, as each does.
func (s *SQS) one(ctx context.Context, queueURL *string, fn func(*sqlitedb.Tx, queue) error) error {
	q, err := s.queue(ctx, queueURL)
	if err != nil {
		return err
	}
	errs, err := s.each(ctx, 1, func(tx *sqlitedb.Tx, _ int) error { return fn(tx, q) })
	if err != nil {
		return err
	}
	s.notifier.notify(q.id)
	return errs[0]
}

// batch is one for each entry of a batch call. It returns the ids of the entries that
// succeeded, and what is reported of the others.
func batch[E any](ctx context.Context, s *SQS, queueURL *string, entries []E, id func(E) *string, fn func(*sqlitedb.Tx, queue, E) error) (
	done []*string, failed []types.BatchResultErrorEntry, err error,
) {
	q, err := s.queue(ctx, queueURL)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch(entries, id); err != nil {
		return nil, nil, err
	}
	errs, err := s.each(ctx, len(entries), func(tx *sqlitedb.Tx, i int) error { return fn(tx, q, entries[i]) })
	if err != nil {
		return nil, nil, err
	}
	for i, e := range entries {
		if errs[i] != nil {
			failed = append(failed, failedEntry(id(e), errs[i]))
			continue
		}
		done = append(done, id(e))
	}
	s.notifier.notify(q.id)
	return done, failed, nil
}

// DeleteMessage also succeeds if the message is gone, or if it has been received again:
// then it stays.
func (s *SQS) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (_ *sqs.DeleteMessageOutput, err error) {
	defer operation("SQS", "DeleteMessage", &err)
	err = s.one(ctx, in.QueueUrl, func(tx *sqlitedb.Tx, q queue) error { return remove(tx, q, in.ReceiptHandle) })
	if err != nil {
		return nil, err
	}
	return &sqs.DeleteMessageOutput{}, nil
}

// DeleteMessageBatch is DeleteMessage for up to ten messages.
func (s *SQS) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (_ *sqs.DeleteMessageBatchOutput, err error) {
	defer operation("SQS", "DeleteMessageBatch", &err)
	type entry = types.DeleteMessageBatchRequestEntry
	done, failed, err := batch(ctx, s, in.QueueUrl, in.Entries, func(e entry) *string { return e.Id },
		func(tx *sqlitedb.Tx, q queue, e entry) error { return remove(tx, q, e.ReceiptHandle) })
	if err != nil {
		return nil, err
	}
	out := &sqs.DeleteMessageBatchOutput{Failed: failed}
	for _, id := range done {
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: id})
	}
	return out, nil
}

func remove(tx *sqlitedb.Tx, q queue, handle *string) error {
	r, err := parseReceipt(handle)
	if err != nil {
		return err
	}
	_, err = tx.Exec("DELETE FROM messages WHERE seq = ? AND queue = ? AND receipt = ?", r.seq, q.id, r.nonce)
	return err
}

// ChangeMessageVisibility hides a message in flight for VisibilityTimeout
// seconds from now; 0 makes it visible at once.
func (s *SQS) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (_ *sqs.ChangeMessageVisibilityOutput, err error) {
	defer operation("SQS", "ChangeMessageVisibility", &err)
	err = s.one(ctx, in.QueueUrl, func(tx *sqlitedb.Tx, q queue) error { return s.hide(tx, q, in.ReceiptHandle, in.VisibilityTimeout) })
	if err != nil {
		return nil, err
	}
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

// ChangeMessageVisibilityBatch is ChangeMessageVisibility for up to ten messages.
func (s *SQS) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (_ *sqs.ChangeMessageVisibilityBatchOutput, err error) {
	defer operation("SQS", "ChangeMessageVisibilityBatch", &err)
	type entry = types.ChangeMessageVisibilityBatchRequestEntry
	done, failed, err := batch(ctx, s, in.QueueUrl, in.Entries, func(e entry) *string { return e.Id },
		func(tx *sqlitedb.Tx, q queue, e entry) error {
			return s.hide(tx, q, e.ReceiptHandle, e.VisibilityTimeout)
		})
	if err != nil {
		return nil, err
	}
	out := &sqs.ChangeMessageVisibilityBatchOutput{Failed: failed}
	for _, id := range done {
		out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: id})
	}
	return out, nil
}

func visibilityTimeout(seconds int32) (time.Duration, error) {
	d := time.Duration(seconds) * time.Second
	if d < 0 || d > maxVisibility {
		return 0, invalidParameter(fmt.Sprintf("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be >= 0 and <= %.0f.", seconds, maxVisibility.Seconds()))
	}
	return d, nil
}

func (s *SQS) hide(tx *sqlitedb.Tx, q queue, handle *string, seconds int32) error {
	timeout, err := visibilityTimeout(seconds)
	if err != nil {
		return err
	}
	r, err := parseReceipt(handle)
	if err != nil {
		return err
	}
	now := s.now()
	var visibleAt, receivedAt int64
	var nonce []byte
	err = tx.QueryRow("SELECT visible_at, coalesce(received_at, 0), receipt FROM messages WHERE seq = ? AND queue = ?", r.seq, q.id).
		Scan(&visibleAt, &receivedAt, &nonce)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && visibleAt <= now.UnixMilli():
		return &types.MessageNotInflight{Message: aws.String("The message referred to isn't in flight.")}
	case err != nil:
		return err
	case !bytes.Equal(nonce, r.nonce):
		return errReceipt("The receipt handle is that of an earlier receive.")
	case now.Add(timeout).UnixMilli() > receivedAt+maxVisibility.Milliseconds():
		return invalidParameter(fmt.Sprintf("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [%.0f seconds].", seconds, maxVisibility.Seconds()))
	}
	_, err = tx.Exec("UPDATE messages SET visible_at = ?, wait_ms = ? WHERE seq = ?", now.Add(timeout).UnixMilli(), timeout.Milliseconds(), r.seq)
	return err
}
