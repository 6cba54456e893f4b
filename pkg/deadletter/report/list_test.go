package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// died is when the letters died: at 10:02 on some day.
var died = time.Date(2026, 1, 2, 10, 2, 0, 0, time.UTC)

// caseOf returns the n-th delivery's case, one second later than the one before.
func caseOf(t *testing.T, n int, reason queue.Reason, stage queue.Stage, status int, problem, event string) deadletter.Case {
	t.Helper()
	e := queue.Envelope{DeliveryID: strings.Repeat(fmt.Sprintf("%02x", n), 32), ReceivedAt: died, Event: []byte(event)}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	at := died.Add(time.Duration(n) * time.Second)
	c := deadletter.Case{Letter: deadletter.Letter{Body: body, SentAt: at, DeadLetter: queue.DeadLetter{
		DeliveryID: e.DeliveryID, Reason: reason, Stage: stage, Status: status, Description: problem, Attempts: 1, Generation: 1, FailedAt: at,
	}}}
	c.Webhook, _ = c.Payload()
	return c
}

// at adds an entry that records where the ticket's request was sent.
func at(c deadletter.Case, state ledger.State) deadletter.Case {
	c.Entry = &ledger.Entry{DeliveryID: c.DeliveryID, State: state, Where: &ledger.Where{Project: "DEMO", Source: "testfairy"}}
	return c
}

const notFound = "Centercode answered 404 to POST /v1/projects/DEMO/feedback/testfairy: The requested resource could not be found."

// some returns letters of four causes, and one that is completed.
func some(t *testing.T) *deadletter.Selection {
	t.Helper()
	in := &deadletter.Selection{Deliveries: 9}
	add := func(c deadletter.Case) { in.Cases = append(in.Cases, c) }
	add(caseOf(t, 1, queue.ReasonMapping, queue.StageMap, 0, `line 9: fields.severity: "Middling" is not allowed`, `{"event":"feedback","appName":"漢字アプリ\u001b[31m","text":"one\ntwo 🙂🙂 and so on and on and on","email":"`+strings.Repeat("a", 40)+`@example.com"}`))
	for n := 2; n < 5; n++ {
		add(at(caseOf(t, n, queue.ReasonNotFound, queue.StageCreate, 404, notFound, `{"event":"feedback","appName":"Demo App","text":"feedback","email":"alice@corporation.com"}`), ledger.Dead))
	}
	add(caseOf(t, 5, queue.ReasonMapping, queue.StageMap, 0, `line 9: fields.severity: "Severe" is not allowed`, `{"event":"crash","crashMessage":"java.lang.NullPointerException"}`))
	file := at(caseOf(t, 6, queue.ReasonRejected, queue.StageAttach, 413, "screenshot of a@example.com: too large", `{"event":"download","testerEmail":"bob@corporation.com"}`), ledger.Dead)
	file.Copies = []deadletter.Letter{file.Letter}
	add(file)
	add(at(caseOf(t, 7, queue.ReasonNotFound, queue.StageCreate, 404, notFound, `{"event":"feedback"}`), ledger.Completed))
	return in
}

func page(width int) (report.Page, *strings.Builder) {
	out := &strings.Builder{}
	return report.Page{
		Out: out, Screen: terminal.Screen{Width: width}, Place: home.Place{Folder: home.DefaultFolder}, Now: died.Add(2 * time.Hour),
	}, out
}

func TestGroups(t *testing.T) {
	p, out := page(60)
	if err := p.Groups(some(t)); err != nil {
		t.Fatal(err)
	}
	want := `3 x not_found 404 at DEMO/testfairy, since 10:02
    Centercode answered 404 to P…esource could not be found.
    newest 040404040404, 1h ago, --group 09fb305fb352

2 x mapping (map), since 10:02
    line 9: fields.severity: "Severe" is not allowed
    newest 050505050505, 1h ago, --group 3c29ee5294a1

1 x rejected 413 (attach) at DEMO/testfairy, since 10:02
    screenshot of a@example.com: too large
    060606060606

1 x done already
    their deliveries are completed or dropped
    fairbridge dlq drop --done

7 dead letters of 9: 3 not_found, 2 mapping, 1 rejected, 1 done already
With copies the queue has 8.
What to do about one: fairbridge dlq show 040404040404
All of them:          fairbridge dlq list --each
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	p, out = page(60)
	p.Limit, p.Now = 2, died.Add(30*time.Hour)
	if err := p.Groups(some(t)); err != nil || !strings.HasPrefix(out.String(), "3 x not_found 404 at DEMO/testfairy, since 2026-01-02 10:02\n") ||
		!strings.Contains(out.String(), "\n2 causes with 2 dead letters more, without --limit\n\n7 dead letters of 9: ") {
		t.Errorf("limited: %v\n%s", err, out)
	}
	p, out = page(60)
	p.Screen.Colors = true
	if err := p.Groups(some(t)); err != nil || !strings.HasPrefix(out.String(), "\x1b[1m3 x not_found 404 at DEMO/testfairy, since 10:02\x1b[0m\n") ||
		!strings.Contains(out.String(), "\n\x1b[32m1 x done already\x1b[0m\n") {
		t.Errorf("in colours: %v\n%s", err, out)
	}
}

func TestLetters(t *testing.T) {
	for width, want := range map[int]string{
		220: `AGE  REASON        STAGE   STATUS  APP             SUBMITTER                       TEXT                            ATTEMPTS  DELIVERY      PROBLEM
1h   mapping       map     -       漢字アプリ[31m  aaaaaaaaaaaaaaa…aa@example.com  one two 🙂🙂 an… and on and on  1         010101010101  line 9: fields.severity: "Middling" is not allowed
`,
		60: `AGE  REASON        TEXT                         DELIVERY
1h   mapping       one two 🙂🙂 …and on and on  010101010101
1h   not_found     feedback                     020202020202
1h   not_found     feedback                     030303030303
1h   not_found     feedback                     040404040404
1h   mapping       java.lang.Nul…nterException  050505050505
1h   rejected      -                            060606060606
1h   done already  -                            070707070707

7 dead letters of 9: 3 not_found, 2 mapping, 1 rejected, 1 done already
With copies the queue has 8.
`,
	} {
		p, out := page(width)
		if err := p.Letters(some(t)); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%d columns: %v, got\n%s\nwant\n%s", width, err, out, want)
		}
	}
	for width := 60; width < 250; width++ {
		p, out := page(width)
		if err := p.Letters(some(t)); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n")[:8] {
			if n := terminal.Width(line); n > width {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
		}
		for n := 1; n < 8; n++ {
			if id := strings.Repeat(fmt.Sprintf("%02x", n), 6); !strings.Contains(out.String(), id) {
				t.Errorf("%d columns: %s is missing or cut", width, id)
			}
		}
	}
	p, out := page(100)
	p.Limit = 2
	if err := p.Letters(some(t)); err != nil || !strings.Contains(out.String(), "\n5 more, without --limit\n\n7 dead letters of 9: ") {
		t.Errorf("limited: %v\n%s", err, out)
	}
}

// TestList checks that many letters are grouped by cause unless another form is requested.
func TestList(t *testing.T) {
	in := some(t)
	p, out := page(100)
	if err := p.List(in); err != nil || !strings.HasPrefix(out.String(), "AGE  ") {
		t.Errorf("%v\n%s", err, out)
	}
	for range 3 {
		in.Cases = append(in.Cases, in.Cases...)
	}
	p, out = page(100)
	if err := p.List(in); err != nil || !strings.HasPrefix(out.String(), "24 x not_found 404 at DEMO/testfairy, since 10:02\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCounts(t *testing.T) {
	one := caseOf(t, 1, "of\u202e later", queue.StageCreate, 400, "", `{"event":"feedback"}`)
	lost := one
	lost.Kept = true
	for _, tc := range []struct {
		cases      []deadletter.Case
		deliveries int
		want       string
	}{
		{nil, 0, "no dead letters\n"},
		{nil, 1, "none of 1 dead letter matches\n"},
		{nil, 9, "none of 9 dead letters matches\n"},
		{[]deadletter.Case{one}, 1, "\n1 dead letter: 1 of later\n"},
		{[]deadletter.Case{one}, 9, "\n1 dead letter of 9: 1 of later\n"},
		{[]deadletter.Case{lost}, 1, "\n1 dead letter: 1 of later\n"},
	} {
		p, out := page(80)
		if err := p.Letters(&deadletter.Selection{Cases: tc.cases, Deliveries: tc.deliveries}); err != nil || !strings.HasSuffix(out.String(), tc.want) {
			t.Errorf("%d of %d: %q, %v, want %q", len(tc.cases), tc.deliveries, out, err, tc.want)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	var b strings.Builder
	c := at(caseOf(t, 1, queue.ReasonRejected, queue.StageCreate, 400, "no, not so", `{"event":"feedback","text":"=1+1","appName":"A"}`), ledger.Dead)
	if err := report.WriteCSV(&b, []deadletter.Case{c}); err != nil {
		t.Fatal(err)
	}
	want := `deliveryId,diedAt,reason,stage,status,description,project,source,done,event,app,submitter,text,attempts,replays,copies
` + strings.Repeat("01", 32) + `,2026-01-02T10:02:01Z,rejected,create,400,"no, not so",DEMO,testfairy,false,feedback,A,,'=1+1,1,0,1
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
