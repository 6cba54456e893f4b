package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/queue"
)

// letterHome is a folder with dead letters in which a bridge seems to run, but does
// nothing.
type letterHome struct {
	t      *testing.T
	data   string
	home   *embedded.Home
	ledger *ledger.Ledger
}

func newLetterHome(t *testing.T, letters ...deadletter.Letter) *letterHome {
	t.Helper()
	data := filepath.Join(t.TempDir(), "home")
	h := &letterHome{t: t, data: data, home: openHome(t, data)}
	bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	t.Cleanup(bridge.Close)
	h.must(home.WriteRunning(data, bridge.Listener.Addr().String()))
	store, err := sqlite.New(t.Context(), sqlite.Config{DB: h.home.DB})
	if err != nil {
		t.Fatal(err)
	}
	h.ledger = ledgertest.New(t, ledger.Config{Store: store})
	h.put(letters...)
	return h
}

func (h *letterHome) queue() *deadletter.Queue {
	return &deadletter.Queue{API: h.home.SQS, URL: h.home.DeadLetterQueueURL, WorkURL: h.home.WorkQueueURL}
}

func (h *letterHome) put(letters ...deadletter.Letter) {
	h.t.Helper()
	h.queue().Add(h.t.Context(), letters, func(_ deadletter.Letter, err error) {
		if err != nil {
			h.t.Error(err)
		}
	})
}

// dlq runs a verb of 'fairbridge dlq' on the folder.
func (h *letterHome) dlq(args ...string) ran {
	h.t.Helper()
	return runCommand(h.t, "", append(append([]string{"dlq"}, args...), "--data", h.data)...)
}

// messages receives and deletes the visible messages of a queue.
func (h *letterHome) messages(url string) []types.Message {
	h.t.Helper()
	var all []types.Message
	for {
		out, err := h.home.SQS.ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			if _, err := h.home.SQS.DeleteMessage(h.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				h.t.Fatal(err)
			}
		}
		all = append(all, out.Messages...)
	}
}

// replayed returns the deliveries in the work queue, by the number of their letter, and
// empties it.
func (h *letterHome) replayed() []string {
	h.t.Helper()
	return deliveriesOf(h.messages(h.home.WorkQueueURL))
}

// dead does the same for the dead-letter queue.
func (h *letterHome) dead() []string {
	h.t.Helper()
	return deliveriesOf(h.messages(h.home.DeadLetterQueueURL))
}

func deliveriesOf(messages []types.Message) []string {
	all := []string{}
	for _, m := range messages {
		e, err := queue.Decode(aws.ToString(m.Body))
		if err != nil {
			all = append(all, "malformed")
			continue
		}
		all = append(all, shortID(e.DeliveryID))
	}
	slices.Sort(all)
	return all
}

// claim claims a delivery as a worker does.
func (h *letterHome) claim(id string, generation int) *ledger.Claim {
	h.t.Helper()
	c, err := h.ledger.Claim(h.t.Context(), id, ledger.Message{Generation: generation, Marked: generation > 0})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *letterHome) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *letterHome) entry(id string) ledger.Entry {
	h.t.Helper()
	e, err := h.ledger.Entry(context.Background(), id)
	h.must(err)
	return e
}

// letterTime is when the test's letters died, which the ledger still remembers.
var letterTime = time.Now().UTC().Truncate(time.Second).Add(-24 * time.Hour)

var times = regexp.MustCompile(`2026-01-\d\dT[\d:]{8}Z`)

// dated replaces the times in a text that was written for letters that died at
// 2026-01-02T03:04:05Z.
func dated(text string) string {
	return times.ReplaceAllStringFunc(text, func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return letterTime.Add(at.Sub(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))).Format(time.RFC3339)
	})
}

func idOf(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return hex.EncodeToString(sum[:])
}

// rejected returns the n-th delivery's letter, whose submitter was rejected.
func rejected(t *testing.T, n int, fields string) deadletter.Letter {
	t.Helper()
	if fields == "" {
		fields = `"email":"alice@corporation.com","appName":"Demo App"`
	}
	e := queue.Envelope{
		DeliveryID: idOf(n), ReceivedAt: letterTime.Add(-time.Minute),
		Event: json.RawMessage(fmt.Sprintf(`{"event":"feedback","text":"feedback %d",%s}`, n, fields)),
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return deadletter.Letter{
		DeadLetter: queue.DeadLetter{
			DeliveryID: e.DeliveryID, Event: "feedback", Reason: queue.ReasonRejected, Stage: "create", Status: 400,
			Description: "status 400: The submitter is not a user of the project.", Attempts: 1, Generation: 1,
			FailedAt: letterTime.Add(time.Duration(n) * time.Second),
		},
		SentAt: letterTime.Add(time.Duration(n) * time.Second), MessageID: fmt.Sprintf("message-%d", n), Body: body,
	}
}

// moved returns the n-th delivery's letter as moved by SQS.
func moved(t *testing.T, n int) deadletter.Letter {
	t.Helper()
	l := rejected(t, n, "")
	l.DeadLetter = queue.DeadLetter{DeliveryID: l.DeliveryID, Event: l.Event, Reason: queue.ReasonWorkerDied}
	return l
}

func caseOf(l deadletter.Letter, copies ...deadletter.Letter) deadletter.Case {
	c := deadletter.Case{Letter: l, Copies: copies}
	c.Webhook, _ = l.Payload()
	return c
}

// wantLines compares a text line by line, to show the first difference.
func wantLines(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "(no line)", "(no line)"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("line %d\n got %q\nwant %q", i+1, g, w)
		}
	}
}

func shortID(id string) string { return queue.ShortID(id) }
