package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

func TestWriteShownLetter(t *testing.T) {
	at := home.Place{Folder: home.DefaultFolder, Stack: "fairbridge"}
	l := rejected(t, 1, `"email":"nobody","odd":"\u001b[31m"`)
	if _, err := deadletter.Edit(&l, []deadletter.Assignment{{Field: "email", Value: "alice@corporation.com"}}, nil, letterTime.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	l.Reason, l.Stage, l.Status = queue.ReasonAttachmentSource, "attach", 403
	l.Description, l.Attempts, l.Generation = "HTTP 403: the file is\u202e gone", 3, 2
	c := caseOf(l, l)
	e, err := queue.Decode(l.Body)
	if err != nil {
		t.Fatal(err)
	}
	entry := ledger.Entry{
		DeliveryID: l.DeliveryID, State: ledger.Dead, Resume: ledger.Created, TicketID: "77", CreatingSince: letterTime,
		Attached: map[string]ledger.Attachment{"log": {Name: "log.txt", Bytes: 1234, At: letterTime}},
		Attempts: 3, Replays: 1, Generation: 2, FirstSeen: letterTime, UpdatedAt: letterTime.Add(time.Second),
		Last: &ledger.Fault{Reason: "attachment_source", Stage: "attach", Status: 403, Text: "gone", At: letterTime},
	}
	shown := &deadletter.Shown{
		Letter: c.Record(), Advice: deadletter.AdviceFor(l, &entry), Payload: e.Event, Ledger: &entry,
		Request: &deadletter.Request{Payload: l.DeliveryID, Mapping: "the mapping that runs", Attachments: []preview.File{{Element: "screenshot", URL: "https://app.testfairy.com/1.jpg"}}},
	}
	var b strings.Builder
	if err := report.WriteShown(&b, shown, at, letterTime.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, b.String(), dated(`delivery     6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
reason       attachment_source at attach (HTTP 403)
problem      HTTP 403: the file is gone
died         2026-01-02T03:04:06Z, 2h ago
tried        3 times, replayed 1 time
kept until   2026-01-16T03:04:06Z, then SQS deletes it
copies       2: a replay sends one and removes the others
event        feedback
generation   2
message      message-1

The ticket exists, but one of its files cannot be fetched: it has expired or was deleted, requires a login, is too large, or its host is not on the list.
  - Put the file where it can be fetched, and give its URL; only what is missing is sent.
      fairbridge dlq replay 6b86b273ff34 --set screenshotUrl=https://... --wait --stack fairbridge
  - Or leave it out.
      fairbridge dlq replay 6b86b273ff34 --set screenshotUrl= --wait --stack fairbridge
  - Add a host that you trust to `+"`sources.hosts`"+` in fairbridge.yaml. If tickets are complete without the file, give the attachment `+"`optional: true`"+`.

The payload:
{
  "event": "feedback",
  "text": "feedback 1",
  "email": "alice@corporation.com",
  "odd": "\u001b[31m"
}
2026-01-02T03:05:05Z: email was "nobody"

A replay would send, by the mapping that runs:
6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b

  attachment screenshot from https://app.testfairy.com/1.jpg

The ledger:
  state        dead, a replay continues from created
  ticket       77
  requested    2026-01-02T03:04:05Z
  has file     log: log.txt, 1234 bytes, 2026-01-02T03:04:05Z
  first seen   2026-01-02T03:04:05Z
  changed      2026-01-02T03:04:06Z
  counts       3 attempts, 1 replay, generation 2
  last error   2026-01-02T03:04:05Z, attachment_source at attach (HTTP 403): gone
`))
}

func TestShow(t *testing.T) {
	foreign := deadletter.Letter{
		DeadLetter: queue.DeadLetter{DeliveryID: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Reason: queue.ReasonMalformed, Stage: "decode"},
		Body:       "hello",
	}
	h := newLetterHome(t, rejected(t, 1, ""), foreign)
	t.Chdir(t.TempDir()) // a folder without fairbridge.yaml
	got := h.dlq("show", idOf(1)[:6])
	for _, want := range []string{"\nreason       rejected at create (HTTP 400)\n", "\n  \"appName\": \"Demo App\"\n", "\nThe ledger knows nothing of it.\n",
		"\n      fairbridge dlq replay 6b86b273ff34 --wait --data " + h.data + "\n"} {
		if got.code != exitDone || !strings.Contains(got.out, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	if got := h.dlq("show", "2cf24dba"); !strings.Contains(got.out, "\nThe message, which has no payload:\nhello\n") {
		t.Errorf("%+v", got)
	}
	h.dlq("show", "abcdef").want(t, exitLeft, "", "fairbridge: there is no dead letter abcdef\n")

	f := newFarEnd(t, "")
	var shown struct {
		Letter  struct{ DeliveryID, Reason string }
		Advice  deadletter.Advice
		Payload map[string]any
		Request struct{ URL string }
		Ledger  *ledger.Entry
	}
	got = h.dlq("show", idOf(1), "--json", "--config", f.config)
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil {
		t.Fatalf("%v in %+v", err, got)
	}
	if shown.Letter.DeliveryID != idOf(1) || shown.Letter.Reason != "rejected" || shown.Payload["appName"] != "Demo App" ||
		shown.Advice.What != deadletter.AdviceRejected.What || !strings.HasSuffix(shown.Request.URL, "/feedback/testfairy?apiKey=...") || shown.Ledger != nil {
		t.Errorf("got %+v", shown)
	}
	wantDeliveries(t, "after showing", h.dead()[:1], 1)
}
