package report

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/bridge"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/worker"
)

var deliveryID = strings.Repeat("0123456789abcdef", 4)

func TestLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name string
		tell func(*Lines)
		want string
	}{
		{"another mapping", rereadTold(bridge.Reread{File: "fairbridge.yaml", Hash: deliveryID, Routes: 2}),
			"15:04:05  mapping      fairbridge.yaml has changed, and runs from now on: 2 routes  [0123456789ab]\n"},
		{"a mapping that is wrong", rereadTold(bridge.Reread{File: "fairbridge.yaml", Err: errors.New("fairbridge.yaml:3:1: no")}),
			"15:04:05  mapping      fairbridge.yaml has changed and cannot run, so the previous one stays in use: fairbridge.yaml:3:1: no\n"},
		{"accepted is not printed", ingestTold(ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: "feedback"}), ""},
		{"accepted, with odd fields", ingestTold(ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: "feedback", Odd: []string{"email", "iconUrl"}}),
			"15:04:05  accepted     HTTP 202 feedback: odd email, iconUrl\n"},
		{"ignored", ingestTold(ingest.Outcome{Result: ingest.Ignored, Status: 200, Kind: "upload", Reason: ingest.ReasonUnwanted}),
			"15:04:05  ignored      HTTP 200 upload: unwanted\n"},
		{"rejected", ingestTold(ingest.Outcome{Result: ingest.Rejected, Status: 401, Reason: ingest.ReasonWrongToken}),
			"15:04:05  rejected     HTTP 401: wrong token\n"},
		{"failed", ingestTold(ingest.Outcome{Result: ingest.Failed, Status: 503, Reason: ingest.ReasonNotQueued, Err: errors.New("disk full")}),
			"15:04:05  failed       HTTP 503: not queued: disk full\n"},
		{"a ticket", workerTold(worker.Outcome{Result: worker.Created, TicketID: "17", Kind: "feedback", Age: 1200 * time.Millisecond, DeliveryID: deliveryID}),
			"15:04:05  ticket 17    feedback, 1.2 s after the webhook  [0123456789ab]\n"},
		{"with attachments", workerTold(worker.Outcome{Result: worker.Created, TicketID: "17", Kind: "feedback", Attachments: 2,
			AttachmentBytes: 3_400_000, Skipped: []string{"log: gone"}, Age: time.Second, Took: time.Second, DeliveryID: deliveryID}),
			"15:04:05  ticket 17    feedback, 2 attachments of 3.2 MiB, without log: gone, 2.0 s after the webhook  [0123456789ab]\n"},
		{"a duplicate", workerTold(worker.Outcome{Result: worker.Duplicate, TicketID: "17", DeliveryID: deliveryID}),
			"15:04:05  duplicate    already done as ticket 17  [0123456789ab]\n"},
		{"ignored by its route", workerTold(worker.Outcome{Result: worker.Ignored, Kind: "crash", DeliveryID: deliveryID}),
			"15:04:05  ignored      crash: its route ignores it  [0123456789ab]\n"},
		{"a dead letter", workerTold(worker.Outcome{Result: worker.Dead, Reason: "rejected", Stage: "create", Err: errors.New("invalid submitter"), DeliveryID: deliveryID}),
			"15:04:05  dead letter  rejected at create: invalid submitter  [0123456789ab]\n"},
		{"a dead letter with a ticket", workerTold(worker.Outcome{Result: worker.Dead, Reason: "attachment_source", Stage: "attach", TicketID: "3",
			Err: errors.New("404"), DeliveryID: deliveryID}),
			"15:04:05  dead letter  attachment_source at attach, ticket 3 stays: 404  [0123456789ab]\n"},
		{"a retry", workerTold(worker.Outcome{Result: worker.Retry, Attempt: 2, RetryIn: 3 * time.Second, Err: errors.New("503"), DeliveryID: deliveryID}),
			"15:04:05  retry        attempt 2, again in 3.0 s: 503  [0123456789ab]\n"},
		{"handed over", workerTold(worker.Outcome{Result: worker.HandedOver, TicketID: "3", Kind: "feedback", Age: time.Second, Took: 20 * time.Second, DeliveryID: deliveryID}),
			"15:04:05  ticket 3     feedback, 21.0 s after the webhook; its files take long and follow  [0123456789ab]\n"},
		{"handed back", workerTold(worker.Outcome{Result: worker.HandedBack, Attempt: 1, RetryIn: time.Second, Err: errors.New("held"), DeliveryID: deliveryID}),
			"15:04:05  waits        attempt 1, again in 1.0 s: held  [0123456789ab]\n"},
		{"held, of one project", workerTold(held("DEMO", "Centercode has not responded")), "15:04:05  held         project DEMO: Centercode has not responded\n"},
		{"an error of several lines", workerTold(worker.Outcome{Result: worker.Dead, Reason: "ambiguous", Stage: "create",
			Err: errors.Join(errors.New("create: the answer was lost"), errors.New("disk full")), DeliveryID: deliveryID}),
			"15:04:05  dead letter  ambiguous at create: the answer was lost; disk full  [0123456789ab]\n"},
	} {
		var out bytes.Buffer
		tc.tell(&Lines{Out: &out, Now: func() time.Time { return at }})
		if out.String() != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, out.String(), tc.want)
		}
	}
}

// TestHeldLines checks that an outage prints one line a minute for each project, not one
// for each held batch.
func TestHeldLines(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	var out bytes.Buffer
	l := &Lines{Out: &out, Now: func() time.Time { return now }}
	for range 3 {
		workerTold(held("A", "a is away"))(l)
		workerTold(held("B", "b is away"))(l)
	}
	now = now.Add(time.Minute)
	workerTold(held("A", "a is away"))(l)
	want := "15:04:05  held         project A: a is away\n15:04:05  held         project B: b is away\n15:05:05  held         project A: a is away\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
}

func held(project, why string) worker.Outcome {
	return worker.Outcome{Result: worker.Held, RetryIn: time.Second, Hold: breaker.Hold{Project: project, Why: why}, Err: errors.New(why)}
}

func TestLinesAsJSON(t *testing.T) {
	var out bytes.Buffer
	l := &Lines{Out: &out, Now: func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }, AsJSON: true}
	ingestTold(ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: "feedback", DeliveryID: "d", Bytes: 7})(l)
	workerTold(worker.Outcome{Result: worker.Retry, DeliveryID: "d", Attempt: 2, Status: 503, Stage: "create",
		RetryIn: 1500 * time.Millisecond, Took: time.Second, Err: errors.New("busy")})(l)
	want := `{"bytes":7,"deliveryId":"d","event":"feedback","result":"accepted","stage":"ingest","status":202,"time":"2026-01-02T15:04:05Z","tookMs":0}
{"ageMs":1000,"attachmentBytes":0,"attachments":0,"attempt":2,"deliveryId":"d","err":"busy","result":"retry","retryInMs":1500,"stage":"worker","status":503,"step":"create","time":"2026-01-02T15:04:05Z","tookMs":1000}
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

func rereadTold(r bridge.Reread) func(*Lines) {
	return func(l *Lines) { l.Reread(context.Background(), r) }
}

func ingestTold(o ingest.Outcome) func(*Lines) {
	return func(l *Lines) { l.Ingested().Report(context.Background(), o) }
}

func workerTold(o worker.Outcome) func(*Lines) {
	return func(l *Lines) { l.Worked().Report(context.Background(), o) }
}
