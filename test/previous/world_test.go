package previous_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// world is the earlier version's home, opened by the present one, with simulators in place
// of the services that it used.
type world struct {
	*testing.T
	clock  *clock
	home   *embedded.Home
	ledger *ledger.Ledger
	center *centercodesim.Simulator
	source string // the URL that plays TestFairy
	client *centercode.Client
	ids    map[string]string // by the delivery's name
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open opens the home in testdata. restarted means that its last process is known to be
// dead, as the home's lock shows.
func open(t *testing.T, restarted bool) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{now: killed}, ids: map[string]string{}}
	for _, d := range readDeliveries(t) {
		w.ids[d.Name] = d.ID
	}
	if len(w.ids) != len(deliveries) {
		t.Fatalf("testdata has %d deliveries, the test knows %d", len(w.ids), len(deliveries))
	}
	w.startFarEnds()

	dir := t.TempDir()
	load(t, filepath.Join(dir, "fairbridge.db"))
	var err error
	w.home, err = embedded.Open(t.Context(), embedded.Config{
		Folder: dir, Existing: true, Now: w.clock.Now, Getenv: func(string) string { return "" }})
	w.must(err)
	t.Cleanup(func() {
		if err := w.home.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := sqlite.New(t.Context(), sqlite.Config{DB: w.home.DB, Now: w.clock.Now})
	w.must(err)
	w.ledger = ledgertest.New(t, ledger.Config{Store: store, Now: w.clock.Now, Alone: restarted})
	if restarted {
		released, err := w.home.SQS.ReleaseInFlight(t.Context(), w.home.WorkQueueURL)
		w.must(err)
		if released != 7 {
			t.Errorf("the dead process held %d messages, want 7", released)
		}
	}
	return w
}

// startFarEnds starts Centercode, with the tickets that it had, and TestFairy. Both work
// now, and the unknown tester has become a user of the project.
func (w *world) startFarEnds() {
	w.Helper()
	var err error
	w.center, err = centercodesim.New(centercodesim.Config{APIKeys: []string{"a-made-up-centercode-key"}, Now: w.clock.Now})
	w.must(err)
	center := httptest.NewServer(w.center.Handler())
	w.Cleanup(func() {
		_ = w.center.Close() // always nil
		center.Close()
	})
	var tickets []struct {
		Project, Source string
		Body            json.RawMessage
	}
	readJSON(w.T, "tickets.json", &tickets)
	for _, ticket := range tickets {
		answer, err := center.Client().Post(fmt.Sprintf("%s/api/v1/projects/%s/feedback/%s?apiKey=a-made-up-centercode-key",
			center.URL, ticket.Project, ticket.Source), "application/json", strings.NewReader(string(ticket.Body)))
		w.must(err)
		w.must(answer.Body.Close())
		if answer.StatusCode != http.StatusCreated {
			w.Fatalf("a ticket that was there is refused: %s", answer.Status)
		}
	}
	transport := &there{host: strings.TrimPrefix(center.URL, "http://")}
	w.Cleanup(transport.CloseIdleConnections)
	w.client, err = centercode.New(centercode.Config{BaseURL: "https://beta.example.com", HTTP: &http.Client{Transport: transport}})
	w.must(err)

	source := httptest.NewServer(testfairysim.New(testfairysim.Config{}).Handler())
	w.Cleanup(source.Close)
	w.source = source.URL
}

// there directs requests for beta.example.com to the simulator: the endpoints of files in
// the ledger name Centercode's former host.
type there struct {
	http.Transport
	host string
}

func (t *there) RoundTrip(r *http.Request) (*http.Response, error) {
	to := r.Clone(r.Context())
	to.Host, to.URL.Scheme, to.URL.Host = "", "http", t.host
	answer, err := t.Transport.RoundTrip(to)
	if err != nil {
		return nil, err
	}
	// The simulator names files' endpoints by the host that it was called with.
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	body = bytes.ReplaceAll(body, []byte("http://"+t.host), []byte("https://"+r.URL.Host))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

// work runs the worker with testdata's mapping, edited, until the work queue is empty. It
// advances the clock whenever every message is hidden.
func (w *world) work(edit func(string) string) {
	w.Helper()
	text, err := os.ReadFile("testdata/fairbridge.yaml")
	w.must(err)
	// The earlier version left a file in doubt to a person. Now that has to be configured.
	mapped := strings.NewReplacer("element: screenshot}", "element: screenshot, onLostAnswer: park}",
		"        element: screenshot\n", "        element: screenshot\n        onLostAnswer: park\n").Replace(string(text))
	config, err := mapping.Parse("fairbridge.yaml",
		fmt.Appendf(nil, "sources: {resolve: {app.testfairy.com: %q}}\n%s", w.source, edit(mapped)))
	w.must(err)
	fetcher, err := attachment.New(attachment.Config{
		Hosts: config.Sources.Hosts, Resolve: config.Sources.Resolve, MaxBytes: config.Sources.MaxBytes,
	})
	w.must(err)
	health, err := breaker.New(breaker.Config{Store: w.home.Ledger, Now: w.clock.Now})
	w.must(err)
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(w.home.SSM)})
	w.must(err)
	handler, err := worker.New(worker.Config{
		Mapping: worker.Mapping{Mapper: config, Centercode: w.client, Sources: fetcher},
		Breaker: health, Ledger: w.ledger,
		Secrets: stored, Queue: w.home.SQS, Reporter: reporter{w.T}, Now: w.clock.Now,
		WorkQueueURL: w.home.WorkQueueURL, DeadLetterQueueURL: w.home.DeadLetterQueueURL,
	})
	w.must(err)
	for range 500 {
		batch := w.receive()
		if len(batch.Records) > 0 {
			answer, err := handler.Handle(w.Context(), batch)
			w.must(err)
			w.remove(batch, answer)
			continue
		}
		if w.waiting() == 0 {
			return
		}
		w.clock.Advance(20 * time.Second)
	}
	w.Fatalf("%d messages never leave the work queue", w.waiting())
}

// reporter writes the worker's outcomes into the output of a failed test.
type reporter struct{ *testing.T }

func (r reporter) Report(_ context.Context, o worker.Outcome) {
	r.Logf("delivery %s: %s %s %v", o.DeliveryID, o.Result, o.Reason, o.Err)
}

// receive receives messages as Lambda's event source mapping does.
func (w *world) receive() (batch events.SQSEvent) {
	w.Helper()
	out, err := w.home.SQS.ReceiveMessage(w.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &w.home.WorkQueueURL, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	w.must(err)
	for _, m := range out.Messages {
		record := events.SQSMessage{
			MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body,
			Attributes: m.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
		}
		for name, a := range m.MessageAttributes {
			record.MessageAttributes[name] = events.SQSMessageAttribute{DataType: *a.DataType, StringValue: a.StringValue}
		}
		batch.Records = append(batch.Records, record)
	}
	return batch
}

// remove deletes the messages that the worker did not report as failed.
func (w *world) remove(batch events.SQSEvent, answer events.SQSEventResponse) {
	w.Helper()
	failed := map[string]bool{}
	for _, f := range answer.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range batch.Records {
		if failed[m.MessageId] {
			continue
		}
		_, err := w.home.SQS.DeleteMessage(w.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.home.WorkQueueURL, ReceiptHandle: &m.ReceiptHandle})
		w.must(err)
	}
}

// waiting returns the number of messages in the work queue, visible or not.
func (w *world) waiting() (n int) {
	w.Helper()
	w.must(w.home.DB.Read().QueryRowContext(w.Context(),
		"SELECT count(*) FROM messages JOIN queues ON queues.id = queue WHERE name = 'fairbridge-work'").Scan(&n))
	return n
}

func (w *world) dead() *deadletter.Queue {
	return &deadletter.Queue{API: w.home.SQS, URL: w.home.DeadLetterQueueURL, WorkURL: w.home.WorkQueueURL}
}

// take receives the dead letters. The caller must release them.
func (w *world) take() (*deadletter.Hold, []deadletter.Letter) {
	w.Helper()
	var mu sync.Mutex
	var letters []deadletter.Letter
	hold, err := w.dead().Take(w.Context(), func(l deadletter.Letter) {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
	})
	w.must(err)
	return hold, letters
}

// letters returns the dead letters, which stay in the queue.
func (w *world) letters() []deadletter.Letter {
	w.Helper()
	hold, letters := w.take()
	w.must(hold.Release(w.Context()))
	return letters
}

// replay sends every dead letter to the work queue, as 'dlq replay --all' does.
func (w *world) replay() {
	w.Helper()
	hold, letters := w.take()
	hold.Replay(w.Context(), deadletter.Cases(letters), 0, func(c deadletter.Case, err error) {
		if err != nil {
			w.Errorf("replay %s: %v", c.DeliveryID, err)
		}
	})
	w.must(hold.Release(w.Context()))
}

func (w *world) entry(name string) ledger.Entry {
	w.Helper()
	e, err := w.ledger.Entry(w.Context(), w.ids[name])
	w.must(err)
	return e
}

// tickets returns the tickets of a delivery.
func (w *world) tickets(name string) (of []centercodesim.Ticket) {
	for _, t := range w.center.Tickets() {
		if t.Fields["deliveryId"] == w.ids[name] {
			of = append(of, t)
		}
	}
	return of
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
