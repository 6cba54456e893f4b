package deadletter

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"crypto/sha256"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/sqlitedb"
)

// world is the two queues in a file, in a bubble's time.
type world struct {
	t *testing.T
	*embedded.SQS
	dead, work string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := context.Background()
	d, err := sqlitedb.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t}
	if w.SQS, err = embedded.NewSQS(embedded.SQSConfig{DB: d}); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]*string{"dead": &w.dead, "work": &w.work} {
		*url, err = w.CreateQueue(ctx, embedded.Queue{Name: name, VisibilityTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// queue returns the dead-letter queue, accessed through api.
func (w *world) queue(api home.Queues) *Queue {
	return &Queue{API: api, URL: w.dead, WorkURL: w.work}
}

func deliveryOf(n int) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(n)))
	return hex.EncodeToString(sum[:])
}

var died = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble's time begins

// letter returns the n-th delivery's letter of a generation.
func letter(t *testing.T, n, generation int) Letter {
	t.Helper()
	e := queue.Envelope{
		DeliveryID: deliveryOf(n), ReceivedAt: died,
		Event: json.RawMessage(fmt.Sprintf(`{"event":"feedback","text":"feedback %d","appName":"Demo App"}`, n)),
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Letter{
		DeadLetter: queue.DeadLetter{
			DeliveryID: e.DeliveryID, Event: "feedback", Reason: queue.ReasonRejected, Stage: "create", Status: 400,
			Description: "Invalid submitter.", Attempts: 1, Generation: generation, FailedAt: died.Add(time.Duration(n) * time.Second),
		},
		Body: body,
	}
}

// put writes letters to the dead-letter queue.
func (w *world) put(letters ...Letter) {
	w.t.Helper()
	w.queue(w.SQS).Add(w.t.Context(), letters, func(_ Letter, err error) {
		if err != nil {
			w.t.Error(err)
		}
	})
}

// all returns every message of a queue and leaves it there.
func (w *world) all(url string) []types.Message {
	w.t.Helper()
	ctx := context.Background()
	seen := map[string]types.Message{}
	for {
		out, err := w.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 60, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			seen[aws.ToString(m.MessageId)] = m
		}
	}
	for _, m := range seen {
		_, err := w.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return slices.Collect(maps.Values(seen))
}

// letters returns the dead letters, in the order of all.
func (w *world) letters() []Letter {
	w.t.Helper()
	var all []Letter
	for _, m := range w.all(w.dead) {
		all = append(all, letterOf(m))
	}
	slices.SortFunc(all, func(a, b Letter) int { return a.DiedAt().Compare(b.DiedAt()) })
	return all
}

// take receives all letters.
func take(ctx context.Context, q *Queue) (*Hold, []Letter, error) {
	var mu sync.Mutex
	var letters []Letter
	h, err := q.Take(ctx, func(l Letter) {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
	})
	return h, letters, err
}

// takeSome receives some more letters.
func takeSome(ctx context.Context, h *Hold, most int) (letters []Letter, more bool, err error) {
	var mu sync.Mutex
	more, err = h.Take(ctx, most, func(l Letter) {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
	})
	return letters, more, err
}

// replayAll replays the letters that choose selects, as the command does, and returns the
// result for each delivery.
func replayAll(ctx context.Context, q *Queue, choose func(Letter) bool) (results map[string]error, err error) {
	h, letters, err := take(ctx, q)
	if err != nil {
		return nil, err
	}
	results = map[string]error{}
	cases := slices.DeleteFunc(Cases(letters), func(c Case) bool { return !choose(c.Letter) })
	h.Replay(ctx, cases, 0, func(c Case, err error) { results[c.DeliveryID] = err })
	return results, h.Release(ctx)
}

func everything(Letter) bool { return true }
