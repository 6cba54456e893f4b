package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// bubble is a worker whose dependencies wait for nothing but time: in testing/synctest's
// bubble, hours pass at once, and to the second. What the real services do is tested with
// world, which has a network.
type bubble struct {
	*testing.T
	handler *worker.Handler
	began   time.Time

	// create and open fake Centercode and the sources. By default a ticket is created at
	// once, and every file is missing.
	create func(ctx context.Context, deliveryID, key string) error
	open   func(context.Context) error
	// file and addFile fake an existing file, and Centercode's response to it; nil for
	// none.
	file    func(context.Context) *attachment.File
	addFile func(context.Context, centercode.FileRequest) (int64, error)
	// put runs before each write to the worker's ledger.
	put func(context.Context, ledger.Record) error

	mu      sync.Mutex
	records map[string]ledger.Record
	creates int
	hides   []time.Duration // when a message was hidden, since the start
	hidden  time.Time       // until when the last one is hidden
	letters int
	// deliveries maps messages to delivery ids.
	deliveries map[string]string
	outcomes   map[string]worker.Outcome // by delivery
}

func newBubble(t *testing.T, routes string) *bubble {
	t.Helper()
	b := &bubble{T: t, began: time.Now(), records: map[string]ledger.Record{}, outcomes: map[string]worker.Outcome{}, deliveries: map[string]string{}}
	config, err := mapping.Parse("fairbridge.yaml", []byte(routes))
	b.must(err)
	health, err := breaker.New(breaker.Config{Store: b, Now: time.Now})
	b.must(err)
	b.handler, err = worker.New(worker.Config{
		Mapping: worker.Mapping{Mapper: config, Centercode: b, Sources: b},
		Breaker: health, Ledger: ledgertest.New(t, ledger.Config{Store: workersStore{b}}),
		Secrets: &keys{cached: apiKey, stored: apiKey}, Queue: b, Reporter: b, Now: time.Now,
		WorkQueueURL: "work", DeadLetterQueueURL: "dead",
	})
	b.must(err)
	return b
}

// patience changes the patience of the worker's mapping.
func (b *bubble) patience(p time.Duration) {
	b.Helper()
	m := b.handler.Mapping
	m.Patience = p
	b.must(b.handler.Use(m))
}

func (b *bubble) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// message returns a delivery as received from the queue; without a picture it has no
// attachments.
func (b *bubble) message(n int, picture bool) (m events.SQSMessage, deliveryID string) {
	b.Helper()
	payload := feedback(n)
	if !picture {
		payload = fmt.Sprintf(`{"event":"feedback","text":"feedback %d"}`, n)
	}
	event, err := testfairy.Decode([]byte(payload))
	b.must(err)
	body, err := queue.Envelope{DeliveryID: event.DeliveryID(), ReceivedAt: time.Now(), Event: event.JSON}.Encode()
	b.must(err)
	b.deliveries[fmt.Sprint("message ", n)] = event.DeliveryID()
	return events.SQSMessage{
		MessageId: fmt.Sprint("message ", n), ReceiptHandle: fmt.Sprint("receipt ", n), Body: body,
		Attributes: map[string]string{"ApproximateReceiveCount": "1"},
	}, event.DeliveryID()
}

// messages returns n deliveries without attachments.
func (b *bubble) messages(n int) (all []events.SQSMessage) {
	for i := range n {
		m, _ := b.message(i, false)
		all = append(all, m)
	}
	return all
}

// handle runs one invocation, and returns the messages that stay in the queue.
func (b *bubble) handle(ctx context.Context, messages ...events.SQSMessage) (left []string) {
	b.Helper()
	response, err := b.handler.Handle(ctx, events.SQSEvent{Records: messages})
	b.must(err)
	for _, f := range response.BatchItemFailures {
		left = append(left, f.ItemIdentifier)
	}
	return left
}

// entry returns the ledger's entry of a delivery.
func (b *bubble) entry(deliveryID string) ledger.Entry {
	b.Helper()
	e, err := b.another().Entry(b.Context(), deliveryID)
	b.must(err)
	return e
}

// another returns another worker's ledger.
func (b *bubble) another() *ledger.Ledger { return ledgertest.New(b, ledger.Config{Store: b}) }

// Put implements [ledger.Store].
func (b *bubble) Put(_ context.Context, r ledger.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if current := b.records[r.ID]; current.Version != r.Version-1 {
		return &ledger.ConflictError{Current: current}
	}
	b.records[r.ID] = r
	return nil
}

// Get implements [ledger.Store].
func (b *bubble) Get(_ context.Context, id string) (ledger.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[id]
	if !ok {
		return r, ledger.ErrNotFound
	}
	return r, nil
}

// Set implements [ledger.Store].
func (b *bubble) Set(_ context.Context, r ledger.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records[r.ID] = r
	return nil
}

// Delete implements [ledger.Store].
func (b *bubble) Delete(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.records, id)
	return nil
}

// workersStore is the store as seen by the bubble's own worker.
type workersStore struct{ *bubble }

func (s workersStore) Put(ctx context.Context, r ledger.Record) error {
	if s.put != nil {
		if err := s.put(ctx, r); err != nil {
			return err
		}
	}
	return s.bubble.Put(ctx, r)
}

// CreateTicket implements [worker.Centercode].
func (b *bubble) CreateTicket(ctx context.Context, r centercode.CreateRequest) (centercode.Ticket, error) {
	b.mu.Lock()
	b.creates++
	id := fmt.Sprint(b.creates)
	b.mu.Unlock()
	if b.create != nil {
		_, deliveryID, _ := strings.Cut(string(r.Body), `"deliveryId":"`)
		if err := b.create(ctx, deliveryID[:64], r.APIKey); err != nil {
			return centercode.Ticket{}, err
		}
	}
	return centercode.Ticket{ID: id, Files: map[string]string{"screenshot": "there"}}, nil
}

// AddFile implements [worker.Centercode].
func (b *bubble) AddFile(ctx context.Context, r centercode.FileRequest) (int64, error) {
	if b.addFile != nil {
		return b.addFile(ctx, r)
	}
	return 0, errors.New("there are no files here")
}

// CheckEndpoint implements [worker.Centercode].
func (b *bubble) CheckEndpoint(string) error { return nil }

// FindTicket implements [worker.Centercode].
func (b *bubble) FindTicket(context.Context, centercode.Lookup) (string, bool, error) {
	return "", false, nil
}

// Probe implements [worker.Centercode].
func (b *bubble) Probe(context.Context, centercode.ProbeRequest) error { return nil }

// Open implements [worker.Sources].
func (b *bubble) Open(ctx context.Context, _ attachment.OpenRequest) (*attachment.File, error) {
	if b.open != nil {
		if err := b.open(ctx); err != nil {
			return nil, err
		}
	}
	if b.file != nil {
		return b.file(ctx), nil
	}
	return nil, &attachment.Error{Permanent: true, Status: 404, Reason: "the file is gone"}
}

// SendMessage implements [worker.Queue].
func (b *bubble) SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters++
	return &sqs.SendMessageOutput{}, nil
}

// ChangeMessageVisibility implements [worker.Queue].
func (b *bubble) ChangeMessageVisibility(_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hides = append(b.hides, time.Since(b.began))
	b.hidden = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

// hiddenUntil returns when the last hidden message becomes visible again.
func (b *bubble) hiddenUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hidden
}

// Report implements [worker.Reporter].
func (b *bubble) Report(_ context.Context, o worker.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes[o.DeliveryID] = o
}

// pass waits, or returns the context's error.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
