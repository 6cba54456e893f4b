package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/reconcile"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

const routes = `
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields:
      summary: "{{ .text }}"
      deliveryId: "{{ .deliveryId }}"
      reconciled: "{{ .reconciled }}"
      app: "{{ .appName }} {{ .version }} {{ .build }} {{ .rawDeviceName }}"
`

// zone is that of TestFairy's first clock; the other one is ten hours behind.
var zone = time.FixedZone("the account's", 9*60*60)

// world is a bridge between TestFairy and Centercode simulators, without a network.
type world struct {
	*testing.T
	now        time.Time
	store      ledger.Store
	history    reconcile.History
	sqs        *embedded.SQS
	work, dead string
	center     *centercodesim.Simulator
	testfairy  *testfairysim.Server
	ingest     *ingest.Handler
	worker     *worker.Handler
	// sending, if set, injects faults into reconcile's sends.
	sending func(payload []byte) (before, after error)
	// storing, if set, injects faults into reconcile's writes to the ledger.
	storing func() (before, after error)
}

func newWorld(t *testing.T, forgetful bool) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	file, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "fairbridge.db"))
	w.must(err)
	t.Cleanup(func() { w.must(file.Close()) })
	store, err := sqlite.New(t.Context(), sqlite.Config{DB: file, Now: clock})
	w.must(err)
	w.store, w.history = store, store
	w.sqs, err = embedded.NewSQS(embedded.SQSConfig{DB: file, Now: clock})
	w.must(err)
	for name, at := range map[string]*string{"dead": &w.dead, "work": &w.work} {
		*at, err = w.sqs.CreateQueue(t.Context(), embedded.Queue{Name: name, VisibilityTimeout: time.Minute})
		w.must(err)
	}
	w.testfairy = testfairysim.New(testfairysim.Config{})
	w.center, err = centercodesim.New(centercodesim.Config{APIKeys: []string{"key"}})
	w.must(err)
	t.Cleanup(func() { w.must(w.center.Close()) })
	config, err := mapping.Parse("fairbridge.yaml", []byte(routes))
	w.must(err)
	w.ingest, err = ingest.New(ingest.Config{
		QueueURL: w.work, Sender: w.sqs, Secrets: secrets{}, Routes: config, Reporter: discard{}, Now: clock,
	})
	w.must(err)
	client, err := centercode.New(centercode.Config{BaseURL: "http://127.0.0.1:1", HTTP: over(w.center.Handler())})
	w.must(err)
	health, err := breaker.New(breaker.Config{Store: store, Now: clock})
	w.must(err)
	files, err := attachment.New(attachment.Config{})
	w.must(err)
	w.worker, err = worker.New(worker.Config{
		Ledger: ledgertest.New(t, ledger.Config{Store: store, Now: clock}), Breaker: health,
		Mapping: worker.Mapping{Mapper: config, Centercode: client, Sources: files, ForgetTexts: forgetful}, Secrets: secrets{}, Queue: w.sqs, Reporter: worked{t}, Now: clock,
		WorkQueueURL: w.work, DeadLetterQueueURL: w.dead,
	})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// over returns a client that calls a handler without a network.
func over(h http.Handler) *http.Client { return &http.Client{Transport: local{h}} }

type local struct{ http.Handler }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	served.RequestURI, served.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if served.Body == nil {
		served.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	l.ServeHTTP(rec, served)
	return rec.Result(), nil
}

type secrets struct{}

func (secrets) Get(context.Context, string) (string, error)                  { return "key", nil }
func (secrets) Fresh(context.Context, string, time.Duration) (string, error) { return "key", nil }

type discard struct{}

func (discard) Report(context.Context, ingest.Outcome) {}

type worked struct{ *testing.T }

func (r worked) Report(_ context.Context, o worker.Outcome) {
	if o.Err != nil {
		r.Log(o.Err)
	}
}

// feedback is a tester's feedback.
type feedback struct {
	id, session, text, email string
	// webhook is the payload.
	webhook []byte
}

// page returns the URL of a session's page.
func page(session string) string {
	return "https://acme.testfairy.com/projects/10-demoapp/builds/5/sessions/" + session
}

// say adds a feedback to TestFairy's list. The test decides about its webhook.
func (w *world) say(id, session, text, email string) *feedback {
	w.Helper()
	payload := map[string]string{
		"event": "feedback", "text": text, "email": email, "timestamp": w.now.In(zone).Format(time.DateTime) + " #" + id,
		"appName": "Demo App", "version": "1.2", "build": "7",
	}
	listed := testfairysim.Feedback{FeedbackID: id, RecordedAt: w.now.In(zone).Format(time.DateTime), Text: text, ReportedBy: email}
	if session != "" {
		payload["sessionUrl"] = page(session)
		listed.ProjectID, listed.BuildID, listed.SessionID = "10", "5", session
	}
	body, err := json.Marshal(payload)
	w.must(err)
	w.testfairy.AddFeedback(listed)
	return &feedback{id: id, session: session, text: text, email: email, webhook: body}
}

// receive passes a payload to ingest.
func (w *world) receive(payload []byte) error {
	var req events.APIGatewayV2HTTPRequest
	req.RawPath, req.RawQueryString, req.Body = ingest.Path, url.Values{"token": {"key"}}.Encode(), string(payload)
	req.RequestContext.HTTP.Method = http.MethodPost
	answer, err := w.ingest.Handle(w.Context(), req)
	if err == nil && answer.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answered %d %s", answer.StatusCode, answer.Body)
	}
	return err
}

// deliver sends a feedback's webhook.
func (w *world) deliver(f *feedback) {
	w.Helper()
	w.must(w.receive(f.webhook))
}

// settle runs the worker until no message is visible.
func (w *world) settle() {
	w.Helper()
	for range 100 {
		out, err := w.sqs.ReceiveMessage(w.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &w.work, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		w.must(err)
		if len(out.Messages) == 0 {
			return
		}
		var batch events.SQSEvent
		for _, m := range out.Messages {
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Attributes: m.Attributes})
		}
		answer, err := w.worker.Handle(w.Context(), batch)
		w.must(err)
		back := map[string]bool{} // of a second copy in the same batch
		for _, f := range answer.BatchItemFailures {
			back[f.ItemIdentifier] = true
		}
		for _, m := range out.Messages {
			if back[*m.MessageId] {
				continue
			}
			_, err := w.sqs.DeleteMessage(w.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.work, ReceiptHandle: m.ReceiptHandle})
			w.must(err)
		}
	}
	w.Fatal("not settled")
}

// reconciler returns a new one for each run, as the command does.
func (w *world) reconciler() *reconcile.Reconciler {
	w.Helper()
	client, err := api.New(api.Config{
		BaseURL: "https://acme.testfairy.com", Credentials: api.Credentials{User: "qa@example.com", Key: "k"}, HTTP: over(w.testfairy.Handler())})
	w.must(err)
	clock := func() time.Time { return w.now }
	r, err := reconcile.New(reconcile.Config{
		TestFairy: client, Pages: "https://acme.testfairy.com", History: w.history, Now: clock, Pause: time.Nanosecond,
		Ledger:  ledgertest.New(w, ledger.Config{Store: faulty{w.store, w}, Now: clock}),
		Waiting: func(context.Context) (int, error) { return 0, nil }, // which may be out of date on AWS
		Send: func(_ context.Context, payload []byte) error {
			var before, after error
			if w.sending != nil {
				before, after = w.sending(payload)
			}
			if before != nil {
				return before
			}
			return errors.Join(w.receive(payload), after)
		},
	})
	w.must(err)
	return r
}

func (w *world) look() *reconcile.Report {
	w.Helper()
	report, err := w.reconciler().Look(w.Context())
	w.must(err)
	return report
}

// send reconciles as a person does who confirms.
func (w *world) send(backfill bool) (*reconcile.Report, error) {
	w.Helper()
	r := w.reconciler()
	report, err := r.Look(w.Context())
	if err == nil {
		err = r.Send(w.Context(), report, time.Time{}, backfill, func(*reconcile.Item) {})
	}
	return report, err
}

// faulty is a ledger with the world's faults.
type faulty struct {
	ledger.Store
	w *world
}

func (f faulty) fault(do func() error) error {
	var before, after error
	if f.w.storing != nil {
		before, after = f.w.storing()
	}
	if before != nil {
		return before
	}
	return errors.Join(do(), after)
}

func (f faulty) Put(ctx context.Context, r ledger.Record) error {
	return f.fault(func() error { return f.Store.Put(ctx, r) })
}

func (f faulty) Set(ctx context.Context, r ledger.Record) error {
	return f.fault(func() error { return f.Store.Set(ctx, r) })
}

// states returns the state of each item in a report, by TestFairy's id.
func states(r *reconcile.Report) map[string]reconcile.State {
	all := map[string]reconcile.State{}
	for _, i := range r.Items {
		all[i.FeedbackID] = i.State
	}
	return all
}

// wantStates compares the states in a report with words such as "id state".
func (w *world) wantStates(report *reconcile.Report, want ...string) {
	w.Helper()
	all := map[string]reconcile.State{}
	for _, words := range want {
		id, state, _ := strings.Cut(words, " ")
		all[id] = reconcile.State(state)
	}
	if got := states(report); !maps.Equal(got, all) {
		w.Errorf("states %v, want %v", got, all)
		for _, i := range report.Items {
			w.Logf("%s: %s, %s", i.FeedbackID, i.State, i.Why)
		}
	}
}

// tickets counts the tickets of a feedback, from its webhook and from reconcile.
func (w *world) tickets(f *feedback) (n int) {
	event, err := testfairy.Decode(f.webhook)
	w.must(err)
	for _, t := range w.center.Tickets() {
		if t.Fields["deliveryId"] == event.DeliveryID() || t.Fields["reconciled"] == f.id {
			n++
		}
	}
	return n
}

// entry returns the ledger's entry for a feedback's webhook.
func (w *world) entry(f *feedback) (ledger.Entry, bool) {
	event, err := testfairy.Decode(f.webhook)
	w.must(err)
	r, err := w.store.Get(w.Context(), event.DeliveryID())
	if errors.Is(err, ledger.ErrNotFound) {
		return ledger.Entry{}, false
	}
	w.must(err)
	e, err := ledger.Read(r)
	w.must(err)
	return e, true
}
