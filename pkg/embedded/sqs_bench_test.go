package embedded_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/sqlitedb"
)

// BenchmarkSendMessage measures durable sends by 16 callers; compare with
// BenchmarkWrite/floor in pkg/sqlitedb.
func BenchmarkSendMessage(b *testing.B) {
	q := openQueues(b)
	body := strings.Repeat("x", 1000)
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := q.SendMessage(b.Context(), &sqs.SendMessageInput{QueueUrl: &q.work, MessageBody: &body}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkCycle sends, receives and deletes one message while many others are queued or
// dead: the cost must not grow with their number.
func BenchmarkCycle(b *testing.B) {
	const many = 100_000
	for _, others := range []struct{ queued, dead int }{{0, 0}, {0, many}, {many, many}} {
		b.Run(fmt.Sprintf("queued=%d/dead=%d", others.queued, others.dead), func(b *testing.B) {
			d := openDB(b, filepath.Join(b.TempDir(), "test.db"))
			c := newClock()
			s, err := embedded.NewSQS(embedded.SQSConfig{DB: d, Now: c.now})
			if err != nil {
				b.Fatal(err)
			}
			q := queues{SQS: s, clock: c}
			q.deadLetter = createQueue(b, s, embedded.Queue{Name: "dead", VisibilityTimeout: time.Minute})
			q.work = createQueue(b, s, embedded.Queue{Name: "work", VisibilityTimeout: time.Minute})
			fill(b, d, "work", c.now(), others.queued)
			fill(b, d, "dead", c.now(), others.dead)
			b.ResetTimer()
			for b.Loop() {
				q.send(b, q.work, "x")
				q.delete(b, q.work, q.receive(b, q.work)[0])
			}
		})
	}
}

// fill adds n messages of 1 kB to a queue.
func fill(b *testing.B, d *sqlitedb.DB, queue string, now time.Time, n int) {
	b.Helper()
	err := d.Write(b.Context(), func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO messages (queue, id, sent_at, visible_at)
			SELECT q.id, printf('%032x-%d', n.i, q.id), ?2, ?2 FROM queues q, n WHERE q.name = ?3 AND ?1 > 0`, n, now.UnixMilli(), queue)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO contents (seq, body, attributes)
			SELECT seq, printf('%.*c', 1000, 'x'), '' FROM messages WHERE seq NOT IN (SELECT seq FROM contents)`)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
