package worker_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/attachment"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// once passes the visible messages to one worker, once.
func (w *world) once() []worker.Outcome {
	w.Helper()
	proc := w.start(nil)
	messages := w.receive(w.work)
	response, err := proc.handler.Handle(w.Context(), eventOf(messages))
	w.must(err)
	proc.deleteAllBut(messages, response)
	return proc.outcomes
}

// only returns the outcome of a batch of one.
func (w *world) only(outcomes []worker.Outcome) worker.Outcome {
	w.Helper()
	if len(outcomes) != 1 {
		w.Fatalf("%d outcomes: %+v", len(outcomes), outcomes)
	}
	return outcomes[0]
}

func (w *world) onlyLetter() queue.DeadLetter {
	w.Helper()
	letters := w.letters()
	if len(letters) != 1 {
		w.Fatalf("%d dead letters: %+v", len(letters), letters)
	}
	return letters[0]
}

func TestOutcomeOfATicket(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(feedback(1))
	w.clock.Advance(3 * time.Second)
	o := w.only(w.once())
	size := w.tickets(id)[0].Files[0].Size
	if o.Result != worker.Created || o.TicketID != "1" || o.Attempt != 1 || o.Attachments != 1 ||
		o.AttachmentBytes != size || o.Age != 3*time.Second || o.Kind != "feedback" || o.DeliveryID != id || o.MessageID == "" {
		t.Errorf("outcome %+v", o)
	}
	w.checkInvariants(id)
}

func TestHundredCopiesMakeOneTicket(t *testing.T) {
	w := newWorld(t, parkRoute)
	var id string
	for range 100 {
		id = w.send(feedback(1))
	}
	// Ten concurrent workers, as Lambda might start.
	var workers sync.WaitGroup
	for range 10 {
		messages := w.receive(w.work)
		workers.Go(func() {
			proc := w.start(nil)
			response, err := proc.handler.Handle(t.Context(), eventOf(messages))
			if err != nil {
				t.Error(err)
			}
			proc.deleteAllBut(messages, response)
		})
	}
	workers.Wait()
	w.settle(nil)
	w.checkInvariants(id)
	if n := w.count(w.dead); n != 0 {
		t.Errorf("%d copies became dead letters", n)
	}
}

func TestOneBadRecordLeavesTheOthersAlone(t *testing.T) {
	w := newWorld(t, parkRoute)
	bad := []string{
		"not ours", `{"version":1}`, `{"Records":[{"eventSource":"aws:s3"}]}`,
		`{"version":1,"deliveryId":"` + strings.Repeat("ab", 32) + `","receivedAt":"2026-01-02T03:04:05Z","event":{"event":"feedback","deep":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}}`,
	}
	for _, body := range bad {
		w.sendBody(body, "")
	}
	var ids []string
	for n := range 6 {
		ids = append(ids, w.send(feedback(n)))
	}
	w.settle(nil)
	letters := w.letters()
	if len(letters) != len(bad) {
		t.Errorf("%d dead letters, want %d", len(letters), len(bad))
	}
	for _, l := range letters {
		if l.Reason != queue.ReasonMalformed || l.Stage != "decode" || l.Description == "" || l.FailedAt.IsZero() {
			t.Errorf("dead letter %+v", l)
		}
	}
	for _, id := range ids {
		w.checkInvariants(id)
	}
}

func TestDeadLetterCarriesTheBodyUnchanged(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 400})
	w.send(feedback(1))
	before := w.receive(w.work)
	body := *before[0].Body
	_, err := w.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &w.work, ReceiptHandle: before[0].ReceiptHandle})
	w.must(err)
	o := w.only(w.once())
	if o.Result != worker.Dead || o.Reason != queue.ReasonRejected || o.Stage != "create" || o.Status != 400 {
		t.Errorf("outcome %+v", o)
	}
	if l := w.onlyLetter(); l.Reason != queue.ReasonRejected || l.Status != 400 || l.Attempts != 1 || l.Generation != 1 || l.Event != "feedback" {
		t.Errorf("dead letter %+v", l)
	}
	w.eachLetter(func(m types.Message) {
		if *m.Body != body {
			t.Errorf("the body became %s", *m.Body)
		}
	})
}

func TestReasons(t *testing.T) {
	for _, tc := range []struct {
		name   string
		routes string
		upset  func(*world)
		want   queue.Reason
		stage  string
		text   string
	}{
		{"no route", strings.Replace(parkRoute, "{event: feedback}", "{event: feedback, app: Another}", 1), nil, queue.ReasonUnroutable, "map", "no route"},
		{"required value empty", strings.Replace(parkRoute, `summary: "{{ .text }}"`, `summary: {value: "{{ .nothing }}", required: true}`, 1), nil,
			queue.ReasonMapping, "map", "summary"},
		{"choice not in its list", strings.Replace(parkRoute, `summary: "{{ .text }}"`, `summary: {choice: "{{ .text }}", allowed: [a, b]}`, 1), nil,
			queue.ReasonMapping, "map", "summary"},
		{"rejected", parkRoute, status(422), queue.ReasonRejected, "create", "422"},
		{"not found", parkRoute, status(404), queue.ReasonNotFound, "create", "Centercode answered 404 to POST /api/v1/projects/DEMO/feedback/testfairy: The server was asked to fail."},
		{"no answer", parkRoute, func(w *world) { w.center.Inject(lostAnswer) }, queue.ReasonAmbiguous, "create", "answer was lost"},
		{"a gateway's timeout", parkRoute, status(504), queue.ReasonAmbiguous, "create", "504"},
		{"a success that is a web page", parkRoute,
			func(w *world) {
				w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 200, Body: centercodesim.BodyHTML})
			}, queue.ReasonAmbiguous, "create", ""},
		{"no endpoint", strings.Replace(parkRoute, "element: screenshot", "element: picture", 1), nil,
			queue.ReasonAttachmentEndpoint, "attach", `no endpoint for the file element "picture"`},
		{"source gone", parkRoute, source(testfairysim.Fault{Status: 404}), queue.ReasonAttachmentSource, "attach", "404"},
		{"source wants a login", parkRoute, source(testfairysim.Fault{SignIn: true}), queue.ReasonAttachmentSource, "attach", "web page"},
		{"source forbidden", strings.Replace(parkRoute, "{{ .screenshotUrl }}", "https://169.254.169.254/latest", 1), nil,
			queue.ReasonAttachmentSource, "attach", "not allowed"},
		{"file rejected", parkRoute, func(w *world) { w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 413}) },
			queue.ReasonRejected, "attach", "413"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.routes)
			if tc.upset != nil {
				tc.upset(w)
			}
			id := w.send(feedback(1))
			w.clock.Advance(time.Hour) // by now a missing file is final
			o := w.only(w.settle(nil))
			l := w.onlyLetter()
			if l.Reason != tc.want || l.Stage != queue.Stage(tc.stage) || !strings.Contains(l.Description, tc.text) || l.DeliveryID != id {
				t.Errorf("dead letter %+v, want %s at %s with %q", l, tc.want, tc.stage, tc.text)
			}
			if o.Result != worker.Dead || o.Reason != tc.want || o.Stage != queue.Stage(tc.stage) || o.Err == nil {
				t.Errorf("outcome %+v", o)
			}
			if tc.stage == "attach" && (len(w.tickets(id)) != 1 || o.TicketID == "") {
				t.Errorf("the ticket is gone: %v", w.tickets(id))
			}
			w.checkInvariants(id)
		})
	}
}

func status(code int) func(*world) {
	return func(w *world) { w.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: code}) }
}

func source(f testfairysim.Fault) func(*world) {
	return func(w *world) { w.testfairy.Inject("/1.jpg", f) }
}

func TestOptionalAttachmentIsLeftOut(t *testing.T) {
	w := newWorld(t, forFeedback+`
    attachments:
      - {from: "https://app.testfairy.com/gone.jpg", element: log, optional: true}
      - {from: "{{ .screenshotUrl }}", element: screenshot}
`)
	w.testfairy.Inject("/gone.jpg", testfairysim.Fault{Status: 410})
	id := w.send(feedback(1))
	w.clock.Advance(time.Hour)
	o := w.only(w.settle(nil))
	if o.Result != worker.Created || o.Attachments != 1 || len(o.Skipped) != 1 || !strings.HasPrefix(o.Skipped[0], "log: ") {
		t.Errorf("outcome %+v", o)
	}
	w.checkInvariants(id)
}

// TestReplaySendsOnlyWhatIsMissing checks that a replay repeats nothing.
func TestReplaySendsOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t, forFeedback+`
    attachments:
      - {from: "{{ .screenshotUrl }}", element: screenshot}
      - {from: "https://app.testfairy.com/late.jpg", element: log}
`)
	w.testfairy.Inject("/late.jpg", testfairysim.Fault{Status: 404})
	id := w.send(feedback(1))
	w.settle(nil)
	w.onlyLetter()
	w.testfairy.Heal("/late.jpg")
	w.redrive()
	w.settle(nil)
	if r := w.center.Requests(); r.Create != 1 || r.File != 2 {
		t.Errorf("requests %+v, want one ticket and two files", r)
	}
	w.checkInvariants(id)
}

// TestDoubtAboutALaterAttachmentStays checks that an ambiguous upload is not forgotten when
// an earlier attachment, skipped in the first attempt, is available in the second.
func TestDoubtAboutALaterAttachmentStays(t *testing.T) {
	w := newWorld(t, forFeedback+`
    attachments:
      - {from: "https://app.testfairy.com/late.jpg", element: log, optional: true}
      - {from: "{{ .screenshotUrl }}", element: screenshot, onLostAnswer: park}
`)
	w.testfairy.Inject("/late.jpg", testfairysim.Fault{Status: 404, Times: 1})
	id := w.send(feedback(1))
	w.clock.Advance(time.Hour)
	proc := w.start(&plan{at: "centercode.file#1", form: diesDone})
	_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	w.settle(nil)
	if l := w.onlyLetter(); l.Reason != queue.ReasonAmbiguous || l.Stage != "attach" {
		t.Errorf("dead letter %+v", l)
	}
	w.checkInvariants(id)
	w.settleParked(id)
	w.redrive()
	w.settle(nil)
	w.checkInvariants(id)
	if n := len(w.tickets(id)[0].Files); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
}

func TestSeveralFilesForOneElement(t *testing.T) {
	w := newWorld(t, forFeedback+`
    attachments:
      - {from: "https://app.testfairy.com/a.jpg", element: log}
      - {from: "https://app.testfairy.com/b.jpg", element: log, filename: "../b\r\n.jpg"}
`)
	id := w.send(feedback(1))
	w.settle(nil)
	files := w.tickets(id)[0].Files
	if len(files) != 2 || files[0].Name != "a.jpg" || files[1].Name != attachment.CleanName("../b\r\n.jpg") {
		t.Errorf("files %+v", files)
	}
}

func TestIgnoredByItsRoute(t *testing.T) {
	w := newWorld(t, "routes:\n  - {match: {event: feedback, app: Demo App}, ignore: true}\n"+strings.TrimPrefix(parkRoute, "routes:\n"))
	id := w.send(feedback(1))
	if o := w.only(w.settle(nil)); o.Result != worker.Ignored {
		t.Errorf("outcome %+v", o)
	}
	if e := w.entry(id); e.State != ledger.Completed || len(w.center.Tickets()) != 0 {
		t.Errorf("entry %+v", e)
	}
}

// panicking is a mapper with a bug.
type panicking struct{ worker.Mapper }

func (p panicking) Map(in mapping.Input) (mapping.Request, error) {
	if in.Event.Text("text") == "feedback 3" {
		panic("a bug")
	}
	return p.Mapper.Map(in)
}

func TestBugIsARetryOfItsRecordOnly(t *testing.T) {
	w := newWorld(t, parkRoute)
	for n := range 5 {
		w.send(feedback(n))
	}
	proc := w.start(nil)
	buggy := proc.handler.Mapping
	buggy.Mapper = panicking{buggy.Mapper}
	w.must(proc.handler.Use(buggy))
	response, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
	w.must(err)
	if len(response.BatchItemFailures) != 1 || len(w.center.Tickets()) != 4 {
		t.Errorf("failures %v, %d tickets", response.BatchItemFailures, len(w.center.Tickets()))
	}
	for _, o := range proc.outcomes {
		if o.Result == worker.Retry && (o.Stage != "map" || !strings.Contains(fmt.Sprint(o.Err), "a bug")) {
			t.Errorf("outcome %+v", o)
		}
	}
	w.settle(nil)
}

// changing is a mapper that is replaced while it maps.
type changing struct {
	worker.Mapper
	meanwhile func()
}

func (c changing) Map(in mapping.Input) (mapping.Request, error) {
	c.meanwhile()
	return c.Mapper.Map(in)
}

// TestMappingChangesBetweenDeliveries checks that a delivery ends with the mapping it began
// with: its request, the project, and what the ledger records. The next one uses the new
// mapping.
func TestMappingChangesBetweenDeliveries(t *testing.T) {
	w := newWorld(t, forFeedback)
	proc := w.start(nil)
	before := proc.handler.Mapping
	after := before
	after.MappingHash, after.BaseURL = "another hash", "http://127.0.0.1:9"
	after.Mapper = w.parse(strings.ReplaceAll(forFeedback, "DEMO", "OTHER"))
	changes := before
	changes.Mapper = changing{before.Mapper, func() { w.must(proc.handler.Use(after)) }}
	w.must(proc.handler.Use(changes))
	for _, want := range []ledger.Where{
		{BaseURL: before.BaseURL, Project: "DEMO", Source: "testfairy", Mapping: before.MappingHash},
		{BaseURL: after.BaseURL, Project: "OTHER", Source: "testfairy", Mapping: after.MappingHash},
	} {
		id := w.send(`{"event":"feedback","text":"for ` + want.Project + `"}`)
		_, err := proc.handler.Handle(t.Context(), eventOf(w.receive(w.work)))
		w.must(err)
		if e := w.entry(id); e.Where == nil || *e.Where != want {
			t.Errorf("the ticket was requested at %+v; want %+v", e.Where, want)
		}
		if tickets := w.tickets(id); len(tickets) != 1 || tickets[0].Project != want.Project {
			t.Errorf("tickets %+v; want one in %s", tickets, want.Project)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	w := newWorld(t, parkRoute)
	whole := w.start(nil).handler.Config
	for name, spoil := range map[string]func(*worker.Config){
		"a part":                           func(c *worker.Config) { c.Ledger = nil },
		"URL of the work queue":            func(c *worker.Config) { c.WorkQueueURL = "" },
		"URL of the dead-letter":           func(c *worker.Config) { c.DeadLetterQueueURL = "" },
		"a margin of -1s":                  func(c *worker.Config) { c.Margin = -time.Second },
		"part is missing from its mapping": func(c *worker.Config) { c.Mapping.Sources = nil },
		"a patience of -1s":                func(c *worker.Config) { c.Mapping.Patience = -time.Second },
	} {
		c := whole
		spoil(&c)
		if _, err := worker.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
