package bridge

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/worker"
)

// dripping is a source with a speed in bytes a second, for /slow.jpg.
type dripping struct{ size, speed int }

// Open implements [worker.Sources].
func (d dripping) Open(ctx context.Context, r attachment.OpenRequest) (*attachment.File, error) {
	file := &attachment.File{Name: "screenshot.jpg", ContentType: "image/jpeg", Size: int64(d.size)}
	file.Body = io.NopCloser(bytes.NewReader(make([]byte, d.size)))
	if strings.HasSuffix(r.URL, "/slow.jpg") {
		file.Body = io.NopCloser(&drip{ctx: ctx, left: d.size, speed: d.speed})
	}
	return file, nil
}

type drip struct {
	ctx         context.Context
	left, speed int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(time.Second):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	n := min(d.speed, d.left, len(p))
	d.left -= n
	return n, nil
}

// TestSlowFiles fills every slot with feedbacks whose files drip. Other feedbacks wait at
// most 25 s longer, those that arrive after the files are handed over wait no longer at
// all, and small screenshots are attached with their tickets.
func TestSlowFiles(t *testing.T) {
	for home, at := range homes {
		t.Run(home, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at.sources = dripping{size: 100_000, speed: 2000}
				s := newTestBridge(t, at)
				defer s.stop()
				s.upstream.even = true
				ticketsOf := func(n int) time.Duration {
					before := len(s.times("feedback"))
					s.more = `,"screenshotUrl":"https://app.testfairy.com/small.jpg"`
					s.send(n / 2)
					s.more = ""
					s.send(n - n/2)
					time.Sleep(40 * time.Second)
					took := s.times("feedback")[before:]
					if len(took) != n {
						t.Fatalf("%d of %d tickets", len(took), n)
					}
					return slices.Max(took)
				}
				usual := ticketsOf(20)
				s.more = `,"screenshotUrl":"https://app.testfairy.com/slow.jpg"`
				s.sendEvent("crash", concurrency*batchSize)
				time.Sleep(2 * time.Second)
				if longest := ticketsOf(20); longest > usual+25*time.Second {
					t.Errorf("with all slots taken the slowest took %s, normally %s", longest, usual)
				}
				if got := s.counts(); got[worker.HandedOver] != concurrency*batchSize {
					t.Errorf("results %v", got)
				}
				if longest := ticketsOf(20); longest > usual*11/10 {
					t.Errorf("after the hand-over the slowest took %s, normally %s", longest, usual)
				}
				time.Sleep(time.Hour)
				if got := s.counts(); got[worker.Created] != s.sent || got[worker.HandedOver] != concurrency*batchSize {
					t.Errorf("of %d: %v", s.sent, got)
				}
				s.check(0)
			})
		})
	}
}
