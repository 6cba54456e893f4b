package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/testfairy"
)

// runbook is one case of docs/dead-letters.md: a running bridge, a delivery that becomes a
// dead letter, and a person who follows the runbook.
type runbook struct {
	t      *testing.T
	f      *farEnd
	data   string
	bridge *process
	state  *state
	id     string
	advice deadletter.Advice
}

// The delivery of all cases.
const (
	runbookFile    = "/projects/10-demoapp/1.jpg"
	runbookPayload = `{"event":"feedback","appName":"Demo App","email":"alice@corporation.com","text":"Landscape",` +
		`"screenshotUrl":"https://app.testfairy.com` + runbookFile + `"}`
)

// failing makes Centercode refuse requests, except those that unless accepts.
func (r *runbook) failing(op centercodesim.Op, status int, unless func(centercodesim.Call) bool) {
	r.f.center.Inject(centercodesim.Fault{Op: op, Status: status, Times: -1, ReadFirst: 1 << 20, Match: func(c centercodesim.Call) bool {
		return unless == nil || !unless(c)
	}})
}

// configure replaces text in fairbridge.yaml.
func (r *runbook) configure(oldnew ...string) {
	r.t.Helper()
	b, err := os.ReadFile(r.f.config)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := strings.NewReplacer(oldnew...).Replace(string(b))
	if changed == string(b) {
		r.t.Fatalf("fairbridge.yaml contains none of %q:\n%s", oldnew, b)
	}
	if err := os.WriteFile(r.f.config, []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runbook) restart() {
	r.t.Helper()
	if r.bridge != nil {
		if code := r.bridge.interrupt(); code != exitDone {
			r.t.Fatalf("exit code %d:\n%s", code, r.bridge.out)
		}
	}
	var err error
	// The key is stored in the folder, so that 'secrets put' can change it.
	if r.bridge, err = launch(r.t, r.f, r.data, "FAIRBRIDGE_CENTERCODE_API_KEY="); err != nil {
		r.t.Fatalf("the bridge does not start (%v):\n%s", err, r.bridge.out)
	}
}

// send sends a message as ingest does.
func (r *runbook) send(body string, attrs map[string]types.MessageAttributeValue, url string) {
	r.t.Helper()
	_, err := r.state.home.SQS.SendMessage(r.t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageAttributes: attrs})
	if err != nil {
		r.t.Fatal(err)
	}
}

// deliver sends the webhook and waits until it is a dead letter.
func (r *runbook) deliver() {
	r.t.Helper()
	var accepted bool
	if r.id, accepted = deliver(r.t.Context(), r.bridge.webhook, runbookPayload); !accepted {
		r.t.Fatal("the webhook was not accepted")
	}
}

// reconciled records in the ledger that the feedback was reconciled.
func (r *runbook) reconciled() {
	r.t.Helper()
	event, err := testfairy.Decode([]byte(runbookPayload))
	if err == nil {
		err = r.state.ledger.Reconcile(r.t.Context(), event.Likeness(), ledger.Reconciled{Deliveries: map[string]string{"7": idOf(9)}})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// exhaust makes the delivery die, after a failed attempt, as if that was its last.
func (r *runbook) exhaust() {
	r.t.Helper()
	var e ledger.Entry
	r.bridge.until("a failed try", func() (failed bool) {
		var err error
		e, err = r.state.ledger.Entry(r.t.Context(), r.id)
		return err == nil && e.Last != nil && e.Owner == ""
	})
	if code := r.bridge.interrupt(); code != exitDone {
		r.t.Fatalf("exit code %d", code)
	}
	r.bridge = nil
	err := r.state.home.DB.Write(r.t.Context(), func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec("DELETE FROM messages")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.die(queue.ReasonRetriesExhausted, queue.Stage(e.Last.Stage), e.Last.Status)
	r.restart()
}

// bury creates a dead letter of a delivery unknown to the ledger.
func (r *runbook) bury(reason queue.Reason, stage queue.Stage) {
	r.t.Helper()
	r.id = idOf(1)
	r.die(reason, stage, 0)
}

// die makes the delivery die as a worker does.
func (r *runbook) die(reason queue.Reason, stage queue.Stage, status int) {
	r.t.Helper()
	l := queue.DeadLetter{DeliveryID: r.id, Event: "feedback", Reason: reason, Stage: stage, Status: status, Generation: 1, FailedAt: time.Now()}
	r.send(r.body(), l.Attributes(), r.state.home.DeadLetterQueueURL)
	c, err := r.state.ledger.Claim(r.t.Context(), r.id, ledger.Message{})
	if err == nil {
		err = c.Died(r.t.Context(), ledger.Fault{Reason: string(reason), Stage: string(stage), Status: status, Text: "a test", At: l.FailedAt}, true)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// body returns the body of the delivery's message.
func (r *runbook) body() string {
	r.t.Helper()
	body, err := (queue.Envelope{DeliveryID: r.id, ReceivedAt: letterTime, Event: json.RawMessage(runbookPayload)}).Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	return body
}

// halfDropped leaves the letter as a 'dlq drop' does that is killed in the middle.
func (r *runbook) halfDropped() {
	r.t.Helper()
	r.state.settled()
	if err := r.state.ledger.Drop(r.t.Context(), r.id, 1, "a test"); err != nil {
		r.t.Fatal(err)
	}
}

// do runs a step of the runbook literally, except for its placeholders.
func (r *runbook) do(step int, oldnew ...string) ran {
	r.t.Helper()
	s := r.advice.Steps[step]
	line := strings.NewReplacer(append(oldnew, "{id}", shortID(r.id))...).Replace(s.Command)
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	stdin := ""
	switch args[1] {
	case "drop":
		args = append(args, "--yes") // in place of a person's answer
	case "put":
		stdin = "the right key\n"
	case "replay":
		args = append(args, "--config", r.f.config)
		if !slices.Contains(args, "--dry-run") && !slices.Contains(args, "--yes") {
			args = append(args, "--yes")
		}
	}
	got := runCommand(r.t, stdin, append(args, "--data", r.data)...)
	if got.code != exitDone {
		r.t.Errorf("%s: %+v\n%s", line, got, r.bridge.out)
	}
	return got
}

// ticket returns the only ticket, and its files.
func (r *runbook) ticket() (centercodesim.Ticket, []string) {
	r.t.Helper()
	all := r.f.center.Tickets()
	if len(all) != 1 {
		r.t.Fatalf("got %d tickets", len(all))
	}
	var files []string
	for _, f := range all[0].Files {
		files = append(files, f.Element)
	}
	return all[0], files
}

// TestRunbook checks each case of docs/dead-letters.md: the dead letter is as described,
// and following the runbook results in one ticket with its files.
func TestRunbook(t *testing.T) {
	for _, tc := range runbookCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.run(t)
		})
	}
}

func (tc runbookCase) run(t *testing.T) {
	r := &runbook{t: t, f: newFarEnd(t, ""), data: filepath.Join(t.TempDir(), "home")}
	r.state = openState(t, r.data)
	if got := runCommand(t, centercodeKey, "secrets", "put", "centercode-api-key", "--data", r.data); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	if tc.cause != nil {
		tc.cause(r)
	}
	r.restart()
	if tc.make == nil {
		tc.make = (*runbook).deliver
	}
	tc.make(r)
	r.state.settled()

	var shown struct {
		Letter deadletter.Record
		Advice deadletter.Advice
	}
	got := runCommand(t, "", "dlq", "show", r.id, "--json", "--config", r.f.config, "--data", r.data)
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil {
		t.Fatalf("%v: %+v\n%s", err, got, r.bridge.out)
	}
	if shown.Letter.Reason != tc.reason || string(shown.Letter.Stage) != tc.stage || shown.Advice.What != tc.advice.What {
		t.Fatalf("dead letter %+v, advice %+v", shown.Letter, shown.Advice)
	}
	r.advice = tc.advice
	tc.cure(r)

	if letters := r.state.letters(); len(letters) != 0 {
		t.Errorf("left %+v", letters)
	}
	if tc.none {
		if n := len(r.f.center.Tickets()); n != 0 {
			t.Errorf("got %d tickets", n)
		}
		return
	}
	if _, files := r.ticket(); !slices.Equal(files, tc.files) {
		t.Errorf("the ticket has the files %q, want %q", files, tc.files)
	}
}
