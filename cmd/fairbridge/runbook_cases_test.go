package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// runbookCase is a section, or half of one.
type runbookCase struct {
	name   string
	reason queue.Reason
	stage  string
	advice deadletter.Advice
	// cause breaks something before the delivery; nil if make does it.
	cause func(*runbook)
	// make creates the dead letter; nil sends the webhook.
	make func(*runbook)
	// cure follows the runbook.
	cure func(*runbook)
	// files are those of the ticket at the end; nil for none.
	files []string
	// none means that the delivery was dropped or ignored: there is no ticket.
	none bool
}

func replayStep(n int, oldnew ...string) func(*runbook) {
	return func(r *runbook) { r.do(n, oldnew...) }
}

var screenshot = []string{"screenshot"}

func isQA(c centercodesim.Call) bool { return c.Fields["submitter"] == "qa@example.com" }

var runbookCases = []runbookCase{
	{name: "submitter made a user", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceRejected,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, nil) },
		cure:  func(r *runbook) { r.f.center.Heal(); r.do(0) }, files: screenshot},
	{name: "somebody else's name", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceRejected,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, isQA) },
		cure:  replayStep(1, "SOMEBODY@EXAMPLE.COM", "qa@example.com"), files: screenshot},
	{name: "a value corrected", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceRejected,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, isQA) },
		cure: func(r *runbook) {
			r.configure("{{ .email }}", "qa@example.com")
			r.restart()
			r.do(2)
		}, files: screenshot},
	{name: "a file refused, endpoint corrected", reason: queue.ReasonRejected, stage: "attach", advice: deadletter.AdviceRejectedFile,
		cause: func(r *runbook) {
			r.failing(centercodesim.OpFile, 415, func(c centercodesim.Call) bool { return c.Element == "picture" })
		},
		cure: func(r *runbook) {
			r.configure("files/screenshot", "files/picture")
			r.restart()
			r.do(0)
		}, files: []string{"picture"}},
	{name: "a file refused, done without", reason: queue.ReasonRejected, stage: "attach", advice: deadletter.AdviceRejectedFile,
		cause: func(r *runbook) { r.failing(centercodesim.OpFile, 415, nil) },
		cure:  replayStep(1)},
	{name: "keys changed", reason: queue.ReasonNotFound, stage: "create", advice: deadletter.AdviceNotFound,
		cause: func(r *runbook) {
			r.failing(centercodesim.OpCreate, 404, func(c centercodesim.Call) bool { return c.Source == "testfairy-2" })
		},
		cure: func(r *runbook) {
			r.configure("source: testfairy", "source: testfairy-2")
			if got := r.do(0); !strings.Contains(got.out, "/projects/DEMO/feedback/testfairy-2?apiKey=...\n") {
				r.t.Errorf("the dry run printed %s", got.out)
			}
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "a file's endpoint changed", reason: queue.ReasonNotFound, stage: "attach", advice: deadletter.AdviceNotFoundFile,
		cause: func(r *runbook) {
			r.failing(centercodesim.OpFile, 404, func(c centercodesim.Call) bool { return c.Element == "picture" })
		},
		cure: func(r *runbook) {
			r.configure("files/screenshot", "files/picture")
			r.restart()
			r.do(0)
		}, files: []string{"picture"}},
	{name: "the ticket deleted", reason: queue.ReasonNotFound, stage: "attach", advice: deadletter.AdviceNotFoundFile,
		cause: func(r *runbook) { r.failing(centercodesim.OpFile, 404, nil) },
		cure:  replayStep(1)},
	{name: "mapping corrected", reason: queue.ReasonMapping, stage: "map", advice: deadletter.AdviceMapping,
		cause: func(r *runbook) {
			r.configure(`summary: "{{ .text }}"`, `summary: {choice: "{{ .text }}", allowed: [Portrait]}`)
		},
		cure: func(r *runbook) {
			r.configure("[Portrait]", "[Portrait, Landscape]")
			if got := r.do(0); !strings.Contains(got.out, `"summary": "Landscape"`) {
				r.t.Errorf("the dry run printed %s", got.out)
			}
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "payload corrected", reason: queue.ReasonMapping, stage: "map", advice: deadletter.AdviceMapping,
		cause: func(r *runbook) {
			r.configure(`summary: "{{ .text }}"`, `summary: {choice: "{{ .text }}", allowed: [Portrait]}`)
		},
		cure: replayStep(2, "FIELD=VALUE", "text=Portrait"), files: screenshot},
	{name: "a route added", reason: queue.ReasonUnroutable, stage: "map", advice: deadletter.AdviceUnroutable,
		cause: func(r *runbook) { r.configure("event: feedback", "event: feedback, app: Other") },
		cure: func(r *runbook) {
			r.configure("app: Other", "app: [Other, Demo App]")
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "nobody wants it", reason: queue.ReasonUnroutable, stage: "map", advice: deadletter.AdviceUnroutable,
		cause: func(r *runbook) { r.configure("event: feedback", "event: feedback, app: Other") },
		cure: func(r *runbook) {
			r.configure("routes:\n", "routes:\n  - {match: {event: feedback, app: Demo App}, ignore: true}\n")
			r.restart()
			r.do(1)
		}, none: true},
	{name: "the ticket was made", reason: queue.ReasonAmbiguous, stage: "create", advice: deadletter.AdviceAmbiguous,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, After: true, Drop: true})
		},
		cure: func(r *runbook) {
			made, _ := r.ticket()
			r.do(1, "TICKET", made.ID)
		}, files: screenshot},
	{name: "the ticket was not made", reason: queue.ReasonAmbiguous, stage: "create", advice: deadletter.AdviceAmbiguous,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, ReadFirst: 1 << 20, Drop: true})
		},
		cure: replayStep(2), files: screenshot},
	{name: "the ticket has the file", reason: queue.ReasonAmbiguous, stage: "attach", advice: deadletter.AdviceAmbiguousFile,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, After: true, Drop: true})
		},
		cure: func(r *runbook) {
			made, _ := r.ticket()
			r.do(0, "TICKET", made.ID)
		}, files: screenshot},
	{name: "the ticket has not the file", reason: queue.ReasonAmbiguous, stage: "attach", advice: deadletter.AdviceAmbiguousFile,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, ReadFirst: 1 << 20, Drop: true})
		},
		cure: replayStep(1), files: screenshot},
	{name: "the file is elsewhere", reason: queue.ReasonAttachmentSource, stage: "attach", advice: deadletter.AdviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairysim.Fault{Status: 400}) },
		cure:  replayStep(0, "https://...", "https://app.testfairy.com/2.jpg"), files: screenshot},
	{name: "the file is gone", reason: queue.ReasonAttachmentSource, stage: "attach", advice: deadletter.AdviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairysim.Fault{SignIn: true}) },
		cure:  replayStep(1)},
	{name: "the ticket is complete without", reason: queue.ReasonAttachmentSource, stage: "attach", advice: deadletter.AdviceSource,
		cause: func(r *runbook) { r.f.testfairy.Inject(runbookFile, testfairysim.Fault{Status: 451}) },
		cure: func(r *runbook) {
			r.configure("element: screenshot", "element: screenshot\n        optional: true")
			r.restart()
			r.advice = deadletter.AdviceUnroutable // for a replay without options
			r.do(1)
		}},
	{name: "no endpoint for a file", reason: queue.ReasonAttachmentEndpoint, stage: "attach", advice: deadletter.AdviceEndpoint,
		cause: func(r *runbook) {
			r.configure("element: screenshot", "element: picture",
				"        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot\n", "")
		},
		cure: func(r *runbook) {
			r.configure("element: picture", "element: screenshot")
			r.restart()
			r.do(1)
		}, files: screenshot},
	{name: "an answer that names nothing", reason: queue.ReasonAttachmentEndpoint, stage: "attach", advice: deadletter.AdviceEndpoint,
		cause: func(r *runbook) {
			r.f.interpose(func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if !strings.HasSuffix(req.URL.Path, "/feedback/testfairy") {
						h.ServeHTTP(w, req)
						return
					}
					h.ServeHTTP(httptest.NewRecorder(), req)
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"status":"accepted"}`)) // an error shows in the ledger
				})
			})
		},
		cure: func(r *runbook) {
			made, _ := r.ticket()
			r.do(2, "TICKET", made.ID)
		}, files: screenshot},
	{name: "the webhook of what was reconciled", reason: queue.ReasonAmbiguous, stage: "create", advice: deadletter.AdviceTwin,
		make: func(r *runbook) { r.reconciled(); r.deliver() },
		cure: replayStep(0), none: true},
	{name: "the same words as what was reconciled", reason: queue.ReasonAmbiguous, stage: "create", advice: deadletter.AdviceTwin,
		make: func(r *runbook) { r.reconciled(); r.deliver() },
		cure: replayStep(1), files: screenshot},
	{name: "Centercode was down", reason: queue.ReasonRetriesExhausted, stage: "create", advice: deadletter.AdviceExhausted,
		cause: func(r *runbook) {
			r.f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 503, Times: -1})
		},
		make: func(r *runbook) { r.deliver(); r.exhaust() },
		cure: func(r *runbook) { r.f.center.Heal(); r.do(0) }, files: screenshot},
	{name: "the key is another", reason: queue.ReasonRetriesExhausted, stage: "create", advice: deadletter.AdviceKey,
		cause: func(r *runbook) { r.f.center.SetAPIKeys("the right key") },
		make:  func(r *runbook) { r.deliver(); r.exhaust() },
		cure: func(r *runbook) {
			r.do(0)
			r.restart() // it would reread the key on its own, but not twice within 10 s
			r.do(1)
		}, files: screenshot},
	{name: "it killed its workers", reason: queue.ReasonWorkerDied, stage: "claim", advice: deadletter.AdviceDied,
		make: func(r *runbook) { r.bury(queue.ReasonWorkerDied, queue.StageClaim) },
		cure: replayStep(0), files: screenshot},
	{name: "an event without its kind, of the previous version", reason: queue.ReasonMalformed, stage: "decode", advice: deadletter.AdviceMalformed,
		make: func(r *runbook) {
			r.id = idOf(1)
			body, err := (queue.Envelope{DeliveryID: r.id, ReceivedAt: letterTime, Event: json.RawMessage(`{"text":"Landscape"}`)}).Encode()
			if err != nil {
				r.t.Fatal(err)
			}
			letter := queue.DeadLetter{DeliveryID: r.id, Reason: queue.ReasonMalformed, Stage: "decode", FailedAt: letterTime}
			r.send(body, letter.Attributes(), r.state.home.DeadLetterQueueURL)
		},
		cure: replayStep(0)},
	{name: "not ours", reason: queue.ReasonMalformed, stage: "decode", advice: deadletter.AdviceMalformed,
		make: func(r *runbook) {
			r.id = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // SHA-256 of the body
			r.send("hello", nil, r.state.home.WorkQueueURL)
		},
		cure: replayStep(1), none: true},
	{name: "done already", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceLeftover,
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
	{name: "dropped already", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceDropped,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, nil) },
		make:  func(r *runbook) { r.deliver(); r.halfDropped() },
		cure:  replayStep(0), none: true},
	{name: "dropped by mistake", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceDropped,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, nil) },
		make:  func(r *runbook) { r.deliver(); r.halfDropped() },
		cure: func(r *runbook) {
			r.f.center.Heal()
			file := filepath.Join(r.t.TempDir(), "letter.jsonl")
			r.do(1, "letter.jsonl", file)
			r.do(2, "letter.jsonl", file)
			r.do(3)
		}, files: screenshot},
	{name: "SQS's own redrive", reason: queue.ReasonRejected, stage: "create", advice: deadletter.AdviceRejected,
		cause: func(r *runbook) { r.failing(centercodesim.OpCreate, 400, nil) },
		cure: func(r *runbook) {
			r.f.center.Heal()
			// StartMessageMoveTask sends messages unchanged.
			for _, m := range (&letterHome{t: r.t, home: r.state.home}).messages(r.state.home.DeadLetterQueueURL) {
				r.send(aws.ToString(m.Body), m.MessageAttributes, r.state.home.WorkQueueURL)
			}
			r.state.settled()
		}, files: screenshot},
}
