package embedded_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/queue/sqstest"
	"fairbridge/pkg/sqlitedb"
)

func TestContract(t *testing.T) {
	sqstest.Run(t, func(t *testing.T) sqstest.Queues {
		s := openSQS(t, filepath.Join(t.TempDir(), "test.db"), time.Now)
		deadLetter := createQueue(t, s, embedded.Queue{Name: "dead", VisibilityTimeout: sqstest.VisibilityTimeout})
		work := createQueue(t, s, embedded.Queue{
			Name: "work", VisibilityTimeout: sqstest.VisibilityTimeout,
			MaxReceiveCount: sqstest.MaxReceiveCount, DeadLetterQueue: "dead",
		})
		return sqstest.Queues{API: s, Work: work, DeadLetter: deadLetter}
	})
}

func openDB(t testing.TB, path string) *sqlitedb.DB {
	t.Helper()
	d, err := sqlitedb.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openSQS(t testing.TB, path string, now func() time.Time) *embedded.SQS {
	t.Helper()
	s, err := embedded.NewSQS(embedded.SQSConfig{DB: openDB(t, path), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func createQueue(t testing.TB, s *embedded.SQS, q embedded.Queue) (url string) {
	t.Helper()
	url, err := s.CreateQueue(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// clock is a manual clock.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }
