package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

func faultOf(stage string, status int, text string) ledger.Fault {
	return ledger.Fault{Stage: stage, Status: status, Text: text, At: letterTime}
}

// wantDeliveries compares what is in a queue with the numbers of the letters.
func wantDeliveries(t *testing.T, what string, got []string, numbers ...int) {
	t.Helper()
	want := []string{}
	for _, n := range numbers {
		want = append(want, shortID(idOf(n)))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestReplayChooses(t *testing.T) {
	for _, tc := range []struct {
		args     []string
		code     int
		out, err string
		replayed []int
	}{
		{[]string{idOf(1)[:6]}, exitDone, "1 dead letter replayed\n", "", []int{1}},
		{[]string{strings.ToUpper(idOf(1)), idOf(2)[:12]}, exitDone, "2 dead letters replayed\n", "", []int{1, 2}},
		{[]string{"abcdef", idOf(2)}, exitLeft, "1 dead letter replayed\n", "fairbridge: there is no dead letter abcdef\n", []int{2}},
		{[]string{"--match", "text~[13]$", "--yes"}, exitDone, "2 dead letters replayed, 1 copy removed\n", "", []int{1, 3}},
		{[]string{"--reason", "mapping", "--yes"}, exitDone, "0 dead letters replayed\n", "", nil},
		{[]string{"--all", "--yes", "--rate", "1000/s"}, exitDone, "3 dead letters replayed, 1 copy removed\n", "", []int{1, 2, 3}},
	} {
		h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 3, ""), rejected(t, 3, ""))
		h.dlq(append([]string{"replay"}, tc.args...)...).want(t, tc.code, tc.out, tc.err)
		wantDeliveries(t, strings.Join(tc.args, " ")+": replayed", h.replayed(), tc.replayed...)
		left := slices.DeleteFunc([]int{1, 2, 3, 3}, func(n int) bool { return slices.Contains(tc.replayed, n) })
		wantDeliveries(t, strings.Join(tc.args, " ")+": left", h.dead(), left...)
	}
}

func TestReplayOfAnIDThatSeveralHave(t *testing.T) {
	first, second := rejected(t, 1, ""), rejected(t, 2, "")
	twin := idOf(1)[:60] + "0000"
	second.Body = strings.ReplaceAll(second.Body, second.DeliveryID, twin)
	second.DeliveryID = twin
	h := newLetterHome(t, first, second)
	h.dlq("replay", twin[:8]).want(t, exitLeft, "",
		"fairbridge: "+twin[:8]+" is the beginning of 2 delivery ids: "+idOf(1)+", "+twin+"\n")
	h.dlq("replay", twin).want(t, exitDone, "1 dead letter replayed\n", "")
}

func TestReplayTooOften(t *testing.T) {
	often, oftenMoved := rejected(t, 1, ""), moved(t, 2)
	often.Generation, oftenMoved.Replays = 4, 3
	fewer := rejected(t, 3, "")
	fewer.Generation = 3
	h := newLetterHome(t, often, oftenMoved, fewer)
	h.dlq("replay", "--all", "--yes").want(t, exitLeft, "1 dead letter replayed\n",
		"fairbridge: 6b86b273ff34 has been replayed 3 times already: mend the cause, then add --force\n"+
			"fairbridge: d4735e3a265e has been replayed 3 times already: mend the cause, then add --force\n")
	wantDeliveries(t, "replayed", h.replayed(), 3)
	h.dlq("replay", "--all", "--yes", "--force").want(t, exitDone, "2 dead letters replayed\n", "")
	for _, m := range h.messages(h.home.WorkQueueURL) {
		if got := aws.ToString(m.MessageAttributes["replays"].StringValue); got != "4" {
			t.Errorf("it says that it was replayed %s times", got)
		}
	}
}

// Very many letters go a part at a time; a copy that comes in a later part goes
// as well.
func TestReplayOfVeryMany(t *testing.T) {
	letters := make([]queue.Letter, 0, atOnce+300)
	for n := range atOnce + 200 {
		letters = append(letters, rejected(t, n, ""))
	}
	h := newLetterHome(t, append(letters, letters[:100]...)...)
	h.dlq("replay", "--all", "--yes").want(t, exitDone, "1200 dead letters replayed, 100 copies removed\n", "")
	if got := h.replayed(); len(got) != atOnce+200 || len(slices.Compact(got)) != atOnce+200 {
		t.Errorf("%d were sent", len(got))
	}
	wantDeliveries(t, "left", h.dead())
}

// One run replays a delivery once: what has failed again is left, and an older
// copy is removed.
func TestReplayOnce(t *testing.T) {
	old, again, other := rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 3, "")
	again.Generation = 2
	h := newLetterHome(t, old, again, other)
	withDeskOf(t, h, func(d *desk) {
		in, err := d.take(t.Context(), wish{bodies: true})
		if err != nil {
			t.Fatal(err)
		}
		r := replayCall{generations: map[string]int{idOf(1): 1, idOf(2): 1}}
		cases := r.once(t.Context(), in)
		if len(cases) != 1 || cases[0].DeliveryID != idOf(3) || r.copies != 1 || r.again != 1 {
			t.Errorf("%+v, %d copies, %d again", cases, r.copies, r.again)
		}
		if err := in.hold.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
	wantDeliveries(t, "left", h.dead(), 2, 3)
}

func withDeskOf(t *testing.T, h *letterHome, work func(*desk)) {
	t.Helper()
	at := place{data: h.data, given: func(string) bool { return false }}
	err := withDesk(t.Context(), &at, streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, func(d *desk) error {
		work(d)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Without a config the payload is checked as ingest does; with one, as the
// worker does, too.
func TestReplayCorrects(t *testing.T) {
	f := newFarEnd(t, "")
	h := newLetterHome(t, rejected(t, 1, `"email":"nobody"`))
	id := shortID(idOf(1))
	h.dlq("replay", id, "--yes", "--config", f.config, "--set", "email=not an address", "--set", "filesize=large").want(t, exitLeft,
		id+"\n- email: \"nobody\"\n+ email: \"not an address\"\n+ filesize: \"large\"\n0 dead letters replayed\n",
		"fairbridge: "+id+" stays: invalid payload: filesize must be a number; email must be one email address, without a display name\n")
	h.dlq("replay", id, "--yes", "--config", f.config, "--set", "email=qa@example.com", "--set", "event=feedback").want(t, exitDone,
		id+"\n- email: \"nobody\"\n+ email: \"qa@example.com\"\n1 dead letter replayed\n", "")
	sent := h.messages(h.home.WorkQueueURL)
	e, err := queue.Decode(aws.ToString(sent[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"event":"feedback","text":"feedback 1","email":"qa@example.com"}`; string(e.Event) != want || e.DeliveryID != idOf(1) {
		t.Errorf("sent %s of %s, want %s", e.Event, e.DeliveryID, want)
	}
	if len(e.Edits) != 1 || e.Edits[0].Field != "email" || string(e.Edits[0].Old) != `"nobody"` {
		t.Errorf("on record is %+v", e.Edits)
	}

	malformed := queue.Letter{
		DeadLetter: queue.DeadLetter{DeliveryID: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Reason: queue.ReasonMalformed, Stage: "decode"},
		Body:       "hello",
	}
	h.put(malformed)
	h.dlq("replay", "2cf24dba", "--yes", "--set", "email=qa@example.com").want(t, exitLeft,
		"2cf24dba5fb0\n  nothing to change\n0 dead letters replayed\n",
		"fairbridge: 2cf24dba5fb0 stays: it cannot be corrected: not a FairBridge message: not JSON at byte 1\n")
}

func TestReplayCorrectsForTheMapping(t *testing.T) {
	config := filepath.Join(t.TempDir(), "fairbridge.yaml")
	err := os.WriteFile(config, []byte(`routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields:
      severity: {choice: "{{ .severity }}", allowed: [Low, High]}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	h := newLetterHome(t, rejected(t, 1, ""))
	id := shortID(idOf(1))
	got := h.dlq("replay", id, "--yes", "--config", config, "--set", "severity=Middling")
	if got.code != exitLeft || !strings.HasPrefix(got.err, "fairbridge: "+id+" stays: line 6: fields.severity: ") {
		t.Errorf("%+v", got)
	}
	h.dlq("replay", id, "--yes", "--config", config, "--set", "severity=Low").want(t, exitDone,
		id+"\n+ severity: \"Low\"\n1 dead letter replayed\n", "")
}

func TestDryRun(t *testing.T) {
	f := newFarEnd(t, "")
	h := newLetterHome(t,
		rejected(t, 1, `"email":"a@example.com","screenshotUrl":"https://app.testfairy.com/1.jpg"`), // not made
		rejected(t, 2, `"screenshotUrl":"https://app.testfairy.com/2.jpg"`),                         // made, without its file
		rejected(t, 3, ""), // in doubt
		rejected(t, 4, ""), // done
	)
	c := h.claim(idOf(2), 0)
	h.must(c.Created(t.Context(), "77", nil, nil))
	h.must(c.Died(t.Context(), faultOf("attach", 404, "gone"), false))
	h.must(h.claim(idOf(4), 0).Completed(t.Context()))
	c = h.claim(idOf(3), 0)
	h.must(c.Creating(t.Context()))
	h.must(c.Died(t.Context(), faultOf("create", 0, "lost"), false))

	got := h.dlq("replay", "--all", "--dry-run", "--config", f.config)
	base := strings.Fields(strings.SplitAfter(got.out, "POST ")[1])[0]
	base = strings.TrimSuffix(base, "/api/v1/projects/DEMO/feedback/testfairy?apiKey=...")
	got.want(t, exitLeft, strings.ReplaceAll(idOf(1)+`
  POST BASE/api/v1/projects/DEMO/feedback/testfairy?apiKey=...
  Content-Type: application/json

  {
    "submitter": "a@example.com",
    "summary": "feedback 1",
    "deliveryId": "`+idOf(1)+`"
  }

  attachment screenshot from https://app.testfairy.com/1.jpg to /api/v1/projects/DEMO/feedback/{ticketId}/files/screenshot

`+idOf(2)+` (ticket 77 is made, what it lacks is sent)

  attachment screenshot from https://app.testfairy.com/2.jpg to /api/v1/projects/DEMO/feedback/{ticketId}/files/screenshot

`+idOf(3)+`
  POST BASE/api/v1/projects/DEMO/feedback/testfairy?apiKey=...
  Content-Type: application/json

  {
    "submitter": "alice@corporation.com",
    "summary": "feedback 3",
    "deliveryId": "`+idOf(3)+`"
  }
  PROBLEM: there may be a ticket already: say --as-created TICKET or --create-again

`+idOf(4)+`
  ignored: it is done already, as ticket of unknown id

4 dead letters would be replayed
`, "BASE", base), "")
	if got := h.dlq("replay", idOf(3), "--create-again", "--dry-run", "--config", f.config); got.code != exitDone || strings.Contains(got.out, "PROBLEM") {
		t.Errorf("settled: %+v", got)
	}
	if got := h.dlq("replay", idOf(3), "--as-created", "5", "--dry-run", "--config", f.config); got.code != exitDone ||
		got.out != idOf(3)+" (ticket 5 is made, what it lacks is sent)\n\n1 dead letter would be replayed\n" {
		t.Errorf("settled: %+v", got)
	}
	if e := h.entry(idOf(3)); e.Resume != ledger.Creating {
		t.Errorf("a dry run has settled it: %+v", e)
	}
	wantDeliveries(t, "left", h.dead(), 1, 2, 3, 4)
	wantDeliveries(t, "replayed", h.replayed())

	t.Chdir(t.TempDir())
	h.put(rejected(t, 1, ""))
	h.dlq("replay", idOf(1), "--dry-run").want(t, exitLeft, "",
		"fairbridge: there is no fairbridge.yaml here, which says what would be sent; name it with --config\n")
}

func TestSettle(t *testing.T) {
	inDoubt := func(h *letterHome, n int, file bool) *ledger.Claim {
		c := h.claim(idOf(n), 0)
		h.must(c.Creating(t.Context()))
		if file {
			h.must(c.Created(t.Context(), "5", nil, nil))
			h.must(c.Attaching(t.Context(), "log"))
		}
		return c
	}
	park := func(h *letterHome, n int, file bool) {
		h.must(inDoubt(h, n, file).Died(t.Context(), faultOf("create", 0, "lost"), false))
	}
	id := shortID(idOf(1))
	replayed := "1 dead letter replayed\n"
	for _, tc := range []struct {
		name    string
		prepare func(h *letterHome)
		args    []string
		err     string // "": it is replayed
		state   ledger.State
		ticket  string
	}{
		{"the ticket is there", func(h *letterHome) { park(h, 1, false) }, []string{"--as-created", "99"}, "", ledger.Created, "99"},
		{"the ticket is not there", func(h *letterHome) { park(h, 1, false) }, []string{"--create-again"}, "", ledger.Claimed, ""},
		{"the file is there", func(h *letterHome) { park(h, 1, true) }, []string{"--as-created", "5"}, "", ledger.Created, "5"},
		{"the file is not there", func(h *letterHome) { park(h, 1, true) }, []string{"--create-again"}, "", ledger.Created, "5"},
		{"the file of another ticket", func(h *letterHome) { park(h, 1, true) }, []string{"--as-created", "6"},
			"the ticket of delivery " + id + " is 5, not 6", ledger.Created, "5"},
		{"once more, with the same word", func(h *letterHome) {
			park(h, 1, false)
			h.must(h.ledger.SettleCreated(t.Context(), idOf(1), "99"))
		}, []string{"--as-created", "99"}, "", ledger.Created, "99"},
		{"once more, with the other word", func(h *letterHome) {
			park(h, 1, false)
			h.must(h.ledger.SettleCreated(t.Context(), idOf(1), "99"))
		}, []string{"--create-again"}, "delivery " + id + " is not in doubt: ticket 99 is made; replay it without --as-created and --create-again", ledger.Created, "99"},
		{"not in doubt", func(h *letterHome) {
			h.must(h.claim(idOf(1), 0).Died(t.Context(), faultOf("map", 0, "x"), false))
		}, []string{"--as-created", "99"}, "delivery " + id + " is not in doubt: its ticket is not made; replay it without --as-created", ledger.Claimed, ""},
		{"in a worker's hands", func(h *letterHome) { inDoubt(h, 1, false) }, []string{"--create-again"},
			"delivery " + id + " is in a worker's hands until ", ledger.Creating, ""},
		{"unknown", func(*letterHome) {}, []string{"--create-again"}, "the ledger knows nothing of delivery " + id, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newLetterHome(t, rejected(t, 1, ""))
			tc.prepare(h)
			got := h.dlq(append([]string{"replay", id}, tc.args...)...)
			if tc.err == "" {
				got.want(t, exitDone, replayed, "")
				wantDeliveries(t, "replayed", h.replayed(), 1)
			} else {
				if got.code != exitLeft || got.out != "" || !strings.HasPrefix(got.err, "fairbridge: "+tc.err) {
					t.Errorf("%+v, want %q", got, tc.err)
				}
				wantDeliveries(t, "left", h.dead(), 1)
			}
			if tc.state == "" {
				return
			}
			if e := h.entry(idOf(1)); resumeState(e) != tc.state || e.TicketID != tc.ticket {
				t.Errorf("the ledger has %+v", e)
			}
		})
	}
	t.Run("moved by SQS while the ticket was made", func(t *testing.T) {
		h := newLetterHome(t, moved(t, 1))
		h.must(inDoubt(h, 1, false).Release(t.Context(), faultOf("create", 504, "lost"), false))
		h.dlq("replay", id, "--as-created", "99").want(t, exitDone, replayed, "")
		if e := h.entry(idOf(1)); e.State != ledger.Created || e.TicketID != "99" {
			t.Errorf("the ledger has %+v", e)
		}
	})
}

// What becomes of each replayed delivery is told in the order of the letters.
func TestWait(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), moved(t, 3), rejected(t, 4, ""), rejected(t, 5, ""))
	for n := range 5 {
		if n+1 != 3 {
			h.must(h.claim(idOf(n+1), 0).Died(t.Context(), faultOf("create", 400, "x"), true))
		}
	}
	release := func(n, generation, times int) {
		for range times {
			h.must(h.claim(idOf(n), generation).Release(t.Context(), faultOf("create", 503, "busy"), true))
		}
	}
	release(3, 0, 8)
	done := make(chan ran)
	go func() { done <- h.dlq("replay", "--all", "--yes", "--wait", "--timeout", "5s") }()
	for len(h.messages(h.home.WorkQueueURL)) == 0 { // they come in one batch
		sleep(t.Context(), 10*time.Millisecond)
	}
	c := h.claim(idOf(1), 1)
	h.must(c.Created(t.Context(), "77", nil, nil))
	h.must(c.Completed(t.Context()))
	fault := faultOf("create", 400, "Still not.")
	fault.Reason = "rejected"
	h.must(h.claim(idOf(2), 1).Died(t.Context(), fault, true))
	release(3, 0, 8)
	h.must(h.claim(idOf(4), 1).Completed(t.Context()))
	(<-done).want(t, exitLeft, "5 dead letters replayed\n"+
		shortID(idOf(1))+"  completed, ticket 77\n"+
		shortID(idOf(2))+"  dead again: rejected at create (HTTP 400): Still not.\n"+
		shortID(idOf(4))+"  completed\n"+
		shortID(idOf(5))+"  has not ended yet\n"+
		shortID(idOf(3))+"  tried 8 times, SQS makes it a dead letter again: a retry at create (HTTP 503): busy\n", "")
}
