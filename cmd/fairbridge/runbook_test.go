package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/centercode/centercodetest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy/testfairytest"
)

// runbook is one case of docs/dead-letters.md: a bridge that runs, a delivery
// that becomes a dead letter, and a person who does what the runbook says.
type runbook struct {
	t      *testing.T
	f      *farEnd
	data   string
	bridge *process
	state  *state
	id     string
	advice advice
}

// The delivery of the cases.
const (
	runbookFile    = "/projects/10-demoapp/1.jpg"
	runbookPayload = `{"event":"feedback","appName":"Demo App","email":"alice@corporation.com","text":"Landscape",` +
		`"screenshotUrl":"https://app.testfairy.com` + runbookFile + `"}`
)

// failing makes Centercode refuse as long as the request is not as it must be.
func (r *runbook) failing(op centercodetest.Op, status int, unless func(centercodetest.Call) bool) {
	r.f.center.Inject(centercodetest.Fault{Op: op, Status: status, Times: -1, ReadFirst: 1 << 20, Match: func(c centercodetest.Call) bool {
		return unless == nil || !unless(c)
	}})
}

// configure replaces words of fairbridge.yaml.
func (r *runbook) configure(oldnew ...string) {
	r.t.Helper()
	b, err := os.ReadFile(r.f.config)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := strings.NewReplacer(oldnew...).Replace(string(b))
	if changed == string(b) {
		r.t.Fatalf("fairbridge.yaml has none of %q:\n%s", oldnew, b)
	}
	if err := os.WriteFile(r.f.config, []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runbook) restart() {
	r.t.Helper()
	if r.bridge != nil {
		if code := r.bridge.interrupt(); code != exitDone {
			r.t.Fatalf("the bridge ended with %d:\n%s", code, r.bridge.out)
		}
	}
	var err error
	// The key is the folder's, so that 'secrets put' can change it.
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

// exhaust does what SQS does after the last receive, when the first try has
// failed: the message moves, with the attributes that it has.
func (r *runbook) exhaust() {
	r.t.Helper()
	r.bridge.until("a failed try", func() bool {
		e, err := r.state.ledger.Entry(r.t.Context(), r.id)
		return err == nil && e.Last != nil && e.Owner == ""
	})
	if code := r.bridge.interrupt(); code != exitDone {
		r.t.Fatalf("the bridge ended with %d", code)
	}
	r.bridge = nil
	if _, err := r.state.home.SQS.PurgeQueue(r.t.Context(), &sqs.PurgeQueueInput{QueueUrl: aws.String(r.state.home.WorkQueueURL)}); err != nil {
		r.t.Fatal(err)
	}
	e := queue.Envelope{DeliveryID: r.id, ReceivedAt: letterTime, Event: json.RawMessage(runbookPayload)}
	body, err := e.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(body, queue.DeliveryAttributes(r.id, "feedback"), r.state.home.DeadLetterQueueURL)
	r.restart()
}

// do carries out a step of the runbook to the letter, but for the words that
// stand for others.
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
		args = append(args, "--yes") // in place of a person
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

// tickets returns the one ticket that there must be, and its files.
func (r *runbook) ticket() (centercodetest.Ticket, []string) {
	r.t.Helper()
	all := r.f.center.Tickets()
	if len(all) != 1 {
		r.t.Fatalf("there are %d tickets", len(all))
	}
	var files []string
	for _, f := range all[0].Files {
		files = append(files, f.Element)
	}
	return all[0], files
}

// runbookCase is a section, or half of one.
type runbookCase struct {
	name   string
	reason queue.Reason
	stage  string
	advice advice
	// cause breaks something before the delivery; nil if the case makes its own.
	cause func(*runbook)
	// make makes the dead letter; nil sends the webhook.
	make func(*runbook)
	// cure is what the runbook says.
	cure func(*runbook)
	// files are what the ticket must have at the end; nil if there must be none.
	files []string
	// dropped or ignored: there is no ticket.
	none bool
}

func replayStep(n int, oldnew ...string) func(*runbook) {
	return func(r *runbook) { r.do(n, oldnew...) }
}

var screenshot = []string{"screenshot"}

func isQA(c centercodetest.Call) bool { return c.Fields["submitter"] == "qa@example.com" }

var runbookCases = []runbookCase{
	{name: "submitter made a user", reason: queue.ReasonRejected, stage: "create", advice: adviceRejected,
		cause: func(r *runbook) { r.failing(centercodetest.OpCreate, 400, nil) },
		cure:  func(r *runbook) { r.f.center.Heal(); r.do(0) }, files: screenshot},
	{name: "somebody else's name", reason: queue.ReasonRejected, stage: "create", advice: adviceRejected,
		cause: func(r *runbook) { r.failing(centercodetest.OpCreate, 400, isQA) },
		cure:  replayStep(1, "SOMEBODY@EXAMPLE.COM", "qa@example.com"), files: screenshot},
	{name: "a value corrected", reason: queue.ReasonRejected, stage: "create", advice: adviceRejected,
		cause: func(r *runbook) { r.failing(centercodetest.OpCreate, 400, isQA) },
		cure: func(r *runbook) {
			r.configure("{{ .email }}", "qa@example.com")
			r.restart()
			r.do(2)
		}, files: screenshot},
	{name: "a file refused, endpoint corrected", reason: queue.ReasonRejected, stage: "attach", advice: adviceRejectedFile,
		cause: func(r *runbook) {
			r.failing(centercodetest.OpFile, 415, func(c centercodetest.Call) bool { return c.Element == "picture" })
		},
		cure: func(r *runbook) {
			r.configure("files/screenshot", "files/picture")
			r.restart()
			r.do(0)
		}, files: []string{"picture"}},
	{name: "a file refused, done without", reason: queue.ReasonRejected, stage: "attach", advice: adviceRejectedFile,
		cause: func(r *runbook) { r.failing(centercodetest.OpFile, 415, nil) },
		cure:  replayStep(1)},
	{name: "keys changed", reason: queue.ReasonNotFound, stage: "create", advice: adviceNotFound,
		cause: func(r *runbook) {
			r.failing(centercodetest.OpCreate, 404, func(c centercodetest.Call) bool { return c.Source == "testfairy-2" })
		},
		cure: func(r *runbook) {
			r.configure("source: testfairy", "source: testfairy-2")
			if got := r.do(0); !strings.Contains(got.out, "/projects/DEMO/feedback/testfairy-2?apiKey=...\n") {
				r.t.Errorf("the dry run says %s", got.out)
			}
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "a file's endpoint changed", reason: queue.ReasonNotFound, stage: "attach", advice: adviceNotFoundFile,
		cause: func(r *runbook) {
			r.failing(centercodetest.OpFile, 404, func(c centercodetest.Call) bool { return c.Element == "picture" })
		},
		cure: func(r *runbook) {
			r.configure("files/screenshot", "files/picture")
			r.restart()
			r.do(0)
		}, files: []string{"picture"}},
	{name: "the ticket deleted", reason: queue.ReasonNotFound, stage: "attach", advice: adviceNotFoundFile,
		cause: func(r *runbook) { r.failing(centercodetest.OpFile, 404, nil) },
		cure:  replayStep(1)},
	{name: "mapping corrected", reason: queue.ReasonMapping, stage: "map", advice: adviceMapping,
		cause: func(r *runbook) {
			r.configure(`summary: "{{ .text }}"`, `summary: {choice: "{{ .text }}", allowed: [Portrait]}`)
		},
		cure: func(r *runbook) {
			r.configure("[Portrait]", "[Portrait, Landscape]")
			if got := r.do(0); !strings.Contains(got.out, `"summary": "Landscape"`) {
				r.t.Errorf("the dry run says %s", got.out)
			}
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "payload corrected", reason: queue.ReasonMapping, stage: "map", advice: adviceMapping,
		cause: func(r *runbook) {
			r.configure(`summary: "{{ .text }}"`, `summary: {choice: "{{ .text }}", allowed: [Portrait]}`)
		},
		cure: replayStep(2, "FIELD=VALUE", "text=Portrait"), files: screenshot},
	{name: "a route added", reason: queue.ReasonUnroutable, stage: "map", advice: adviceUnroutable,
		cause: func(r *runbook) { r.configure("event: feedback", "event: feedback, app: Other") },
		cure: func(r *runbook) {
			r.configure("app: Other", "app: [Other, Demo App]")
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "nobody wants it", reason: queue.ReasonUnroutable, stage: "map", advice: adviceUnroutable,
		cause: func(r *runbook) { r.configure("event: feedback", "event: feedback, app: Other") },
		cure: func(r *runbook) {
			r.configure("routes:\n", "routes:\n  - {match: {event: feedback, app: Demo App}, ignore: true}\n")
			r.restart()
			r.do(1)
		}, none: true},
	{name: "the ticket was made", reason: queue.ReasonAmbiguous, stage: "create", advice: adviceAmbiguous,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodetest.Fault{Op: centercodetest.OpCreate, After: true, Drop: true})
		},
		cure: func(r *runbook) {
			made, _ := r.ticket()
			r.do(1, "TICKET", made.ID)
		}, files: screenshot},
	{name: "the ticket was not made", reason: queue.ReasonAmbiguous, stage: "create", advice: adviceAmbiguous,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodetest.Fault{Op: centercodetest.OpCreate, ReadFirst: 1 << 20, Drop: true})
		},
		cure: replayStep(2), files: screenshot},
	{name: "the ticket has the file", reason: queue.ReasonAmbiguous, stage: "attach", advice: adviceAmbiguousFile,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodetest.Fault{Op: centercodetest.OpFile, After: true, Drop: true})
		},
		cure: func(r *runbook) {
			made, _ := r.ticket()
			r.do(0, "TICKET", made.ID)
		}, files: screenshot},
	{name: "the ticket has not the file", reason: queue.ReasonAmbiguous, stage: "attach", advice: adviceAmbiguousFile,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodetest.Fault{Op: centercodetest.OpFile, ReadFirst: 1 << 20, Drop: true})
		},
		cure: replayStep(1), files: screenshot},
	{name: "the file is elsewhere", reason: queue.ReasonAttachmentSource, stage: "attach", advice: adviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairytest.Fault{Status: 404}) },
		cure:  replayStep(0, "https://...", "https://app.testfairy.com/2.jpg"), files: screenshot},
	{name: "the file is gone", reason: queue.ReasonAttachmentSource, stage: "attach", advice: adviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairytest.Fault{SignIn: true}) },
		cure:  replayStep(1)},
	{name: "the ticket is complete without", reason: queue.ReasonAttachmentSource, stage: "attach", advice: adviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairytest.Fault{Status: 403}) },
		cure: func(r *runbook) {
			r.configure("element: screenshot", "element: screenshot\n        optional: true")
			r.restart()
			r.advice = adviceUnroutable // for a plain replay
			r.do(1)
		}},
	{name: "no endpoint for a file", reason: queue.ReasonAttachmentEndpoint, stage: "attach", advice: adviceEndpoint,
		cause: func(r *runbook) {
			r.configure("element: screenshot", "element: picture",
				"        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot\n", "")
		},
		cure: func(r *runbook) {
			r.configure("element: picture", "element: screenshot")
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "Centercode was down", reason: queue.ReasonRetriesExhausted, stage: "create", advice: adviceExhausted,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodetest.Fault{Op: centercodetest.OpCreate, Status: 503, RetryAfter: "3600", Times: -1})
		},
		make: func(r *runbook) { r.deliver(); r.exhaust() },
		cure: func(r *runbook) { r.f.center.Heal(); r.do(0) }, files: screenshot},
	{name: "the key is another", reason: queue.ReasonRetriesExhausted, stage: "create", advice: adviceKey,
		cause: func(r *runbook) { r.f.center.SetAPIKeys("the right key") },
		make:  func(r *runbook) { r.deliver(); r.exhaust() },
		cure: func(r *runbook) {
			r.do(0)
			r.restart() // it would read the key by itself, but not twice within 10 s
			r.do(1)
		}, files: screenshot},
	{name: "an event without its kind", reason: queue.ReasonMalformed, stage: "decode", advice: adviceMalformed,
		make: func(r *runbook) {
			r.id = idOf(1)
			body, err := (queue.Envelope{DeliveryID: r.id, ReceivedAt: letterTime, Event: json.RawMessage(`{"text":"Landscape"}`)}).Encode()
			if err != nil {
				r.t.Fatal(err)
			}
			r.send(body, nil, r.state.home.WorkQueueURL)
		},
		cure: replayStep(0)},
	{name: "not ours", reason: queue.ReasonMalformed, stage: "decode", advice: adviceMalformed,
		make: func(r *runbook) {
			r.id = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // SHA-256 of the body
			r.send("hello", nil, r.state.home.WorkQueueURL)
		},
		cure: replayStep(1), none: true},
	{name: "done already", reason: queue.ReasonRejected, stage: "create", advice: adviceLeftover,
		make: func(r *runbook) {
			r.deliver()
			r.bridge.until("the ticket", func() bool {
				e, err := r.state.ledger.Entry(r.t.Context(), r.id)
				return err == nil && e.State == ledger.Completed
			})
			old := rejected(r.t, 1, "")
			old.Body = strings.ReplaceAll(old.Body, old.DeliveryID, r.id)
			old.DeliveryID = r.id
			(&letterHome{t: r.t, home: r.state.home}).put(old)
		},
		cure: replayStep(0), files: screenshot},
	{name: "SQS's own redrive", reason: queue.ReasonRejected, stage: "create", advice: adviceRejected,
		cause: func(r *runbook) { r.failing(centercodetest.OpCreate, 400, nil) },
		cure: func(r *runbook) {
			r.f.center.Heal()
			// StartMessageMoveTask sends what it finds as it is.
			for _, m := range (&letterHome{t: r.t, home: r.state.home}).messages(r.state.home.DeadLetterQueueURL) {
				r.send(aws.ToString(m.Body), m.MessageAttributes, r.state.home.WorkQueueURL)
			}
			r.state.settled()
		}, files: screenshot},
}

// Each case of docs/dead-letters.md: the dead letter is what the runbook says,
// and after what the runbook says to do there is one ticket with its files.
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
		Letter letterRecord
		Advice advice
	}
	got := runCommand(t, "", "dlq", "show", r.id, "--json", "--config", r.f.config, "--data", r.data)
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil {
		t.Fatalf("%v: %+v\n%s", err, got, r.bridge.out)
	}
	if shown.Letter.Reason != tc.reason || shown.Letter.Stage != tc.stage || shown.Advice.What != tc.advice.What {
		t.Fatalf("the dead letter is %+v, advice %+v", shown.Letter, shown.Advice)
	}
	r.advice = tc.advice
	tc.cure(r)

	if letters := r.state.letters(); len(letters) != 0 {
		t.Errorf("left is %+v", letters)
	}
	if tc.none {
		if n := len(r.f.center.Tickets()); n != 0 {
			t.Errorf("there are %d tickets", n)
		}
		return
	}
	if _, files := r.ticket(); !slices.Equal(files, tc.files) {
		t.Errorf("the ticket has the files %q, want %q", files, tc.files)
	}
}
