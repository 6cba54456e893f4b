package worker_test

import (
	"context"
	"database/sql"
	"encoding/json"
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
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/testfairy"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

const (
	apiKey        = "the-api-key-that-nobody-may-see"
	testfairyUser = "ops@example.com"
	testfairyKey  = "the-key-of-testfairy-that-nobody-may-see"
)

// secret returns the first secret that text contains, or "".
func secret(text string) string {
	for _, s := range []string{apiKey, testfairyKey} {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

// world is everything around the worker, which survives its death.
type world struct {
	*testing.T
	clock      *clock
	file       *sqlitedb.DB
	sqs        *embedded.SQS
	store      ledger.Store
	center     *centercodesim.Simulator
	centerURL  string
	testfairy  *testfairysim.Server
	sourceURL  string
	keys       *keys
	config     *mapping.Config
	work, dead string
	// filesQueue is the URL of the files queue.
	filesQueue string
	// slow makes the files of deliveries in the work queue take too long; nil if they do
	// not.
	slow *slowFiles
	// holdAtMost is the maximum age of a message.
	holdAtMost time.Duration
	hosts      []string // centercode.hosts
	// patience is that of the workers; 0 is the default.
	patience time.Duration
	// uploads is a worker's limit of concurrent uploads; 0 is the default.
	uploads int
	// through wraps the transport of requests to Centercode, if set.
	through func(http.RoundTripper) http.RoundTripper
}

// clock is a manual clock, so that waits of hours take no time.
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

// keys is SSM behind its cache: Get may return an old value, Fresh does not.
type keys struct {
	mu             sync.Mutex
	cached, stored string
	// testfairy holds the same for TestFairy's key.
	testfairy struct{ cached, stored string }
}

func (k *keys) Get(_ context.Context, name string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == secrets.TestFairyAPIKey {
		if k.testfairy.cached == "" {
			return "", secrets.ErrNotFound
		}
		return k.testfairy.cached, nil
	}
	return k.cached, nil
}

func (k *keys) Fresh(_ context.Context, name string, _ time.Duration) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == secrets.TestFairyAPIKey {
		k.testfairy.cached = k.testfairy.stored
		return k.testfairy.cached, nil
	}
	k.cached = k.stored
	return k.cached, nil
}

// fields are the same in the routes of all tests.
const fields = `
    project: DEMO
    source: testfairy
    fields:
      submitter: "{{ .email }}"
      summary: "{{ .text }}"
      deliveryId: "{{ .deliveryId }}"
`

// parkRoute leaves a lost response to a person, lookUpRoute queries Centercode.
const (
	attachScreenshot = `
    attachments:
      - {from: "{{ .screenshotUrl }}", element: screenshot, onLostAnswer: park}
`
	forFeedback = "routes:\n  - match: {event: feedback}" + fields
	parkRoute   = forFeedback + attachScreenshot
	lookUpRoute = endpointRoute + `
    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 60s}
`
	endpointRoute = forFeedback + `
    attachments:
      - from: "{{ .screenshotUrl }}"
        element: screenshot
        onLostAnswer: park
        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot
`
)

// logRoute attaches a session's log in addition to the screenshot; logEndpointRoute also
// configures both endpoints.
const (
	logRoute         = parkRoute + "      - {session: log, element: log, onLostAnswer: park}\n"
	logEndpointRoute = endpointRoute + `      - session: log
        element: log
        onLostAnswer: park
        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/log
`
)

type option func(*world)

// onStore replaces the ledger's store.
func onStore(s ledger.Store) option { return func(w *world) { w.store = s } }

// newWorld returns a world whose fairbridge.yaml has these routes.
func newWorld(t *testing.T, routes string, options ...option) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{now: time.Now()}, keys: &keys{cached: apiKey, stored: apiKey}}
	w.keys.testfairy.cached, w.keys.testfairy.stored = testfairyKey, testfairyKey
	var err error
	w.center, err = centercodesim.New(centercodesim.Config{APIKeys: []string{apiKey}})
	w.must(err)
	center := httptest.NewServer(w.center.Handler())
	t.Cleanup(func() {
		w.must(w.center.Close())
		center.Close()
	})
	w.centerURL = center.URL
	w.testfairy = testfairysim.New(testfairysim.Config{Account: testfairyUser, APIKey: testfairyKey})
	source := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.testfairy.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(source.Close)
	w.sourceURL = source.URL
	w.config = w.parse(routes)

	path := filepath.Join(t.TempDir(), "fairbridge.db")
	blank, err := blankDatabase()
	w.must(err)
	w.must(os.WriteFile(path, blank, 0o600))
	file, err := sqlitedb.Open(t.Context(), path)
	w.must(err)
	t.Cleanup(func() { w.must(file.Close()) })
	w.store, err = sqlite.New(t.Context(), sqlite.Config{DB: file})
	w.must(err)
	w.file = file
	w.sqs, err = embedded.NewSQS(embedded.SQSConfig{DB: file, Now: w.clock.Now})
	w.must(err)
	w.dead, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{
		Name: "dead", VisibilityTimeout: 30 * time.Second})
	w.must(err)
	w.work, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{
		Name: "work", VisibilityTimeout: 930 * time.Second,
		MaxReceiveCount: 1000, DeadLetterQueue: "dead"})
	w.must(err)
	w.filesQueue, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{
		Name: "files", VisibilityTimeout: 930 * time.Second,
		MaxReceiveCount: 1000, DeadLetterQueue: "dead"})
	w.must(err)
	for _, o := range options {
		o(w)
	}
	return w
}

func (w *world) parse(routes string) *mapping.Config {
	w.Helper()
	top := fmt.Sprintf("testfairy: {user: %s}\nsources: {resolve: {app.testfairy.com: %q, api.testfairy.com: %[2]q}}\n", testfairyUser, w.sourceURL)
	config, err := mapping.Parse("fairbridge.yaml", []byte(top+routes))
	w.must(err)
	return config
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// feedback returns a payload; each n is a different delivery.
func feedback(n int) string {
	return fmt.Sprintf(`{"event":"feedback","appName":"Demo App","email":"alice@corporation.com","text":"feedback %d",`+
		`"screenshotUrl":"https://app.testfairy.com/%d.jpg","sessionUrl":"https://app.testfairy.com/projects/10-demo/builds/5/sessions/%d"}`, n, n, n)
}

// send queues an event as ingest does, and returns its delivery id.
func (w *world) send(payload string) string {
	w.Helper()
	event, err := testfairy.Decode([]byte(payload))
	w.must(err)
	body, err := queue.Envelope{DeliveryID: event.DeliveryID(), ReceivedAt: w.clock.Now(), Event: event.JSON}.Encode()
	w.must(err)
	w.sendBody(body, event.DeliveryID())
	return event.DeliveryID()
}

func (w *world) sendBody(body, deliveryID string) {
	w.Helper()
	_, err := w.sqs.SendMessage(w.Context(), &sqs.SendMessageInput{
		QueueUrl: &w.work, MessageBody: &body, MessageAttributes: queue.DeliveryAttributes(deliveryID, "feedback")})
	w.must(err)
}

// receive receives up to ten messages, as the event source mapping does.
func (w *world) receive(url string) []types.Message {
	w.Helper()
	most := int32(10)
	if url == w.filesQueue {
		most = 1
	}
	out, err := w.sqs.ReceiveMessage(w.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: most,
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameAll},
	})
	w.must(err)
	return out.Messages
}

// filesEvent is eventOf for the files queue.
func filesEvent(messages []types.Message) events.SQSEvent {
	e := eventOf(messages)
	for i := range e.Records {
		e.Records[i].EventSourceARN = "arn:aws:sqs:embedded:000000000000:files"
	}
	return e
}

func eventOf(messages []types.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, m := range messages {
		r := events.SQSMessage{
			MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body,
			Attributes: m.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
		}
		for name, a := range m.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{DataType: *a.DataType, StringValue: a.StringValue}
		}
		e.Records = append(e.Records, r)
	}
	return e
}

// settle runs workers until both queues are empty. A worker that dies is succeeded by
// another, and its deliveries return when their leases expire.
func (w *world) settle(p *plan) []worker.Outcome {
	w.Helper()
	var outcomes []worker.Outcome
	proc := w.start(p)
	for range 500 {
		if proc.handleWork() == 0 && proc.handleFiles() == 0 {
			if !w.sleep() {
				return outcomes
			}
			continue
		}
		outcomes = append(outcomes, proc.outcomes...)
		proc.outcomes = nil
		if proc.isDead() {
			proc = w.start(p)
		}
	}
	w.Fatalf("not settled; the last outcomes: %+v", outcomes[max(0, len(outcomes)-3):])
	return nil
}

// handleWork handles a batch of the work queue, and returns how many messages it had.
func (p *process) handleWork() int {
	p.Helper()
	return p.handleFrom(p.work, eventOf)
}

// handleFiles is handleWork for the files queue.
func (p *process) handleFiles() int {
	p.Helper()
	if p.slow != nil {
		p.slow.pass.Store(true)
		defer p.slow.pass.Store(false)
	}
	return p.handleFrom(p.filesQueue, filesEvent)
}

func (p *process) handleFrom(url string, event func([]types.Message) events.SQSEvent) int {
	p.Helper()
	messages := p.receive(url)
	if len(messages) > 0 {
		response, err := p.handler.Handle(p.Context(), event(messages))
		p.must(err)
		if response.BatchItemFailures == nil {
			p.Fatal("the list of failures is null")
		}
		p.deleteFrom(url, messages, response)
	}
	return len(messages)
}

// sleep advances the clock to when the next message of either queue becomes visible. It
// returns false if there is none.
func (w *world) sleep() bool {
	w.Helper()
	var next sql.NullInt64
	w.must(w.file.Read().QueryRowContext(w.Context(), `SELECT min(visible_at) FROM messages
		WHERE queue IN (SELECT id FROM queues WHERE name IN ('work', 'files'))`).Scan(&next))
	if next.Valid {
		w.clock.Advance(time.UnixMilli(next.Int64 + 1).Sub(w.clock.Now()))
	}
	return next.Valid
}

func (p *process) deleteAllBut(messages []types.Message, r events.SQSEventResponse) {
	p.deleteFrom(p.work, messages, r)
}

func (p *process) deleteFrom(url string, messages []types.Message, r events.SQSEventResponse) {
	failed := map[string]bool{}
	for _, f := range r.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range messages {
		if !failed[*m.MessageId] {
			// Lambda retries a failed delete; here the message is just redelivered.
			_ = p.call("sqs.DeleteMessage", func() error {
				_, err := p.sqs.DeleteMessage(p.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
				return err
			})
		}
	}
}

// count returns how many messages a queue has, visible or not.
func (w *world) count(url string) int {
	w.Helper()
	out, err := w.sqs.GetQueueAttributes(w.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(url), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	w.must(err)
	n := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var k int
		w.must(json.Unmarshal([]byte(out.Attributes[name]), &k))
		n += k
	}
	return n
}

// letters returns the dead letters, which stay in the queue.
func (w *world) letters() []queue.DeadLetter {
	w.Helper()
	var letters []queue.DeadLetter
	w.eachLetter(func(m types.Message) {
		letters = append(letters, queue.ParseDeadLetter(m.MessageAttributes))
		_, err := w.sqs.ChangeMessageVisibility(w.Context(), &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &w.dead, ReceiptHandle: m.ReceiptHandle})
		w.must(err)
	})
	return letters
}

// redrive moves every letter to the work queue unchanged, as SQS's own redrive does.
func (w *world) redrive() {
	w.Helper()
	w.eachLetter(func(m types.Message) {
		_, err := w.sqs.SendMessage(w.Context(), &sqs.SendMessageInput{
			QueueUrl: &w.work, MessageBody: m.Body, MessageAttributes: m.MessageAttributes})
		w.must(err)
		_, err = w.sqs.DeleteMessage(w.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.dead, ReceiptHandle: m.ReceiptHandle})
		w.must(err)
	})
}

func (w *world) eachLetter(do func(types.Message)) {
	w.Helper()
	var all []types.Message
	for messages := w.receive(w.dead); len(messages) > 0; messages = w.receive(w.dead) {
		all = append(all, messages...)
	}
	for _, m := range all {
		do(m)
	}
}

// tickets returns a delivery's tickets at Centercode.
func (w *world) tickets(deliveryID string) []centercodesim.Ticket {
	var of []centercodesim.Ticket
	for _, t := range w.center.Tickets() {
		if t.Fields["deliveryId"] == deliveryID {
			of = append(of, t)
		}
	}
	return of
}

func (w *world) entry(deliveryID string) ledger.Entry {
	w.Helper()
	e, err := w.ledger().Entry(w.Context(), deliveryID)
	w.must(err)
	return e
}

func (w *world) ledger() *ledger.Ledger {
	return ledgertest.New(w, ledger.Config{Store: w.store, Now: w.clock.Now})
}

// checkInvariants checks the whole persisted state against the promise: each delivery is
// one ticket with each file once, or a dead letter with its cause; none is held anymore;
// and no secret is stored anywhere.
func (w *world) checkInvariants(deliveryIDs ...string) {
	w.Helper()
	letters := map[string]queue.DeadLetter{}
	for _, l := range w.letters() {
		letters[l.DeliveryID] = l
		if shown := secret(fmt.Sprintf("%+v", l)); shown != "" {
			w.Errorf("a dead letter shows %s: %+v", shown, l)
		}
	}
	for _, id := range deliveryIDs {
		tickets := w.tickets(id)
		if len(tickets) > 1 {
			w.Errorf("delivery %s was made %d times", id, len(tickets))
		}
		for _, t := range tickets {
			w.checkFiles(t)
		}
		e := w.entry(id)
		letter, isDead := letters[id]
		switch {
		case isDead && letter.Reason == "" && e.Last == nil:
			w.Errorf("nobody knows why delivery %s is dead", id)
		case isDead && letter.Reason != "" && letter.Description == "":
			w.Errorf("the dead letter of %s has a reason (%s), but does not describe it", id, letter.Reason)
		case !isDead && len(tickets) == 0:
			w.Errorf("delivery %s is lost; the ledger has %+v", id, e)
		case !isDead && e.State != ledger.Completed:
			w.Errorf("delivery %s ended as %+v", id, e)
		case !isDead && len(tickets[0].Files) != len(e.Attached):
			w.Errorf("delivery %s has %d files, the ledger knows %d", id, len(tickets[0].Files), len(e.Attached))
		}
		if e.HeldAt(w.clock.Now().Add(ledger.Lease)) {
			w.Errorf("delivery %s is held for longer than a lease: %+v", id, e)
		}
		if doc, _ := json.Marshal(e); secret(string(doc)) != "" {
			w.Errorf("the ledger shows a key: %s", doc)
		}
	}
}

func (w *world) checkFiles(t centercodesim.Ticket) {
	w.Helper()
	seen := map[string]bool{}
	for _, f := range t.Files {
		if seen[f.Element] {
			w.Errorf("ticket %s has the file %s twice", t.ID, f.Element)
		}
		seen[f.Element] = true
		text, _ := t.Fields["summary"].(string)
		n := strings.TrimPrefix(text, "feedback ")
		source := ""
		switch {
		case n == text: // a test that checks its own files
		case f.Element == "screenshot":
			source = "/" + n + ".jpg"
		case strings.HasPrefix(f.ContentType, "text/plain"):
			source = "/api/1/projects/10-demo/builds/5/sessions/" + n + "/?fields=logs"
		}
		if source != "" && f.SHA256 != w.testfairy.SHA256(source) {
			w.Errorf("ticket %s: the %s differs from %s", t.ID, f.Element, source)
		}
	}
}

// roundTripper makes a function an [http.RoundTripper].
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// discard reads a response to its end, so that the server has finished.
func discard(r *http.Response) {
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
}
