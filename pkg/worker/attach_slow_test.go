package worker_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/worker"
)

// drip is a file that arrives at a speed in bytes a second; 0 is at once.
type drip struct {
	ctx         context.Context
	left, speed int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	n := min(d.left, len(p))
	if d.speed > 0 {
		n = min(n, d.speed)
		if err := pass(d.ctx, time.Second); err != nil {
			return 0, err
		}
	}
	d.left -= n
	return n, nil
}

// dripping makes the sources serve such a file, with or without its size, and Centercode
// read taken bytes a second; 0 is no limit.
func (b *bubble) dripping(size, speed, taken int, declared bool) {
	b.file = func(ctx context.Context) *attachment.File {
		f := &attachment.File{Name: "a.jpg", Size: -1, Body: io.NopCloser(&drip{ctx, size, speed})}
		if declared {
			f.Size = int64(size)
		}
		return f
	}
	b.addFile = func(ctx context.Context, r centercode.FileRequest) (int64, error) {
		piece := make([]byte, 32<<10)
		if taken > 0 {
			piece = piece[:min(taken, len(piece))]
		}
		var read int64
		for {
			n, err := r.Body.Read(piece)
			if read += int64(n); err == io.EOF {
				return read, nil
			}
			if taken > 0 && err == nil {
				err = pass(ctx, time.Second)
			}
			if ctx.Err() != nil {
				return read, &centercode.Error{Op: centercode.OpAddFile, Err: ctx.Err()}
			}
			if err != nil {
				return read, &centercode.SourceError{Err: err}
			}
		}
	}
}

// fromFiles returns a message as received from the files queue.
func fromFiles(m events.SQSMessage) events.SQSMessage {
	m.EventSourceARN = "arn:aws:sqs:eu-central-1:1:files"
	return m
}

// TestFileThatNeverArrives checks that each attempt at such a file uses up patience, and at
// most one invocation. In the end it is reported as the source's fault or Centercode's, and
// an optional file of a slow source is skipped.
func TestFileThatNeverArrives(t *testing.T) {
	const size = 2_000_000
	for _, tc := range []struct {
		name         string
		declared     bool // sends the file's size
		optional     bool
		speed, taken int
		want         worker.Result
		reason       queue.Reason
	}{
		{"a slow source", true, false, 550, 0, worker.Dead, queue.ReasonAttachmentSource},
		{"a slow source without a size", false, false, 550, 0, worker.Dead, queue.ReasonAttachmentSource},
		{"a slow source, optional", true, true, 550, 0, worker.Created, ""},
		{"a slow source without a size, optional", false, true, 550, 0, worker.Created, ""},
		{"a slow Centercode", true, true, 0, 550, worker.Dead, queue.ReasonRetriesExhausted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := parkRoute
				if tc.optional {
					route = strings.Replace(route, "element: screenshot", "element: screenshot, optional: true", 1)
				}
				b := newBubble(t, route)
				b.handler.FilesQueueURL = "files"
				b.patience(time.Minute)
				b.dripping(size, tc.speed, tc.taken, tc.declared)
				message, id := b.message(1, true)
				message = fromFiles(message)
				attempts := 0
				for left := 1; left > 0; attempts++ {
					if attempts > 20 {
						t.Fatal("the delivery does not end")
					}
					ctx, cancel := context.WithTimeout(t.Context(), 900*time.Second)
					began := time.Now()
					left = len(b.handle(ctx, message))
					cancel()
					o := b.outcomes[id]
					if took := time.Since(began); took > 890*time.Second || left > 0 && (o.Result != worker.HandedBack || b.entry(id).Waited == 0) {
						t.Errorf("after %s: %+v", took, o)
					}
					time.Sleep(o.RetryIn)
				}
				o, e := b.outcomes[id], b.entry(id)
				if o.Result != tc.want || o.Reason != tc.reason || (len(o.Skipped) == 1) != (tc.want == worker.Created) || attempts < 5 || b.creates != 1 {
					t.Errorf("after %d attempts and %d ticket requests: %+v", attempts, b.creates, o)
				}
				if e.Owner != "" || e.TicketID == "" {
					t.Errorf("entry %+v", e)
				}
			})
		})
	}
}

// TestSlowFileDelaysNoOther: a delivery that may have killed its worker runs alone. It does
// not wait for a slow file, and if its own file is slow, no other delivery waits for it.
func TestSlowFileDelaysNoOther(t *testing.T) {
	for _, slowIsSuspect := range []bool{true, false} {
		t.Run(fmt.Sprint("the slow one is suspect: ", slowIsSuspect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, parkRoute)
				b.handler.FilesQueueURL = "files"
				b.dripping(100_000, 500, 0, true) // 200 s
				slow, slowID := b.message(1, true)
				other, otherID := b.message(2, false)
				dies := otherID
				if slowIsSuspect {
					dies = slowID
				}
				_, err := b.another().Claim(t.Context(), dies, ledger.Message{})
				b.must(err)
				time.Sleep(ledger.Lease + time.Second)

				done := make(chan []string)
				go func() { done <- b.handle(t.Context(), fromFiles(slow)) }()
				time.Sleep(time.Minute)
				began := time.Now()
				b.handle(t.Context(), other)
				if took := time.Since(began); took > time.Second || b.outcomes[otherID].Result != worker.Created {
					t.Errorf("after %s: %+v", took, b.outcomes[otherID])
				}
				if e := b.entry(slowID); e.Owner == "" || e.Alone {
					t.Errorf("the slow one: %+v", e)
				}
				if left := <-done; len(left) > 0 || b.outcomes[slowID].Attachments != 1 {
					t.Errorf("left %v: %+v", left, b.outcomes[slowID])
				}
			})
		})
	}
}
