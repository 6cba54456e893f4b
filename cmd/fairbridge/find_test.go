package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/terminal"
)

// newFoundHome returns a home with two tickets and a dead letter, received at 10:00, 11:00
// and 12:00.
func newFoundHome(t *testing.T) (*letterHome, time.Time) {
	t.Helper()
	h := newLetterHome(t)
	first := time.Now().UTC().Truncate(24 * time.Hour).Add(-14 * time.Hour)
	at := first
	l := ledgertest.New(t, ledger.Config{Store: h.home.Ledger, Now: func() time.Time { return at }, Who: func(context.Context) string { return "ann" }})
	const mapping = `centercode:
  baseUrl: https://beta.example.com
  ticketUrl: https://beta.example.com/{{ .project }}/{{ .ticketId }}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {title: "{{ .text }}"}
`
	h.must(l.NowRuns(t.Context(), ledger.Running{Hash: "hash"}, mapping))
	take := func(n int, about ledger.About) *ledger.Claim {
		about.ReceivedAt = at
		at = at.Add(2 * time.Second)
		d, err := l.Look(t.Context(), idOf(n), ledger.Message{SentAt: at})
		h.must(err)
		c, err := d.Claim(t.Context(), about, false)
		h.must(err)
		return c
	}
	where := ledger.Where{BaseURL: "https://beta.example.com", Project: "DEMO", Source: "testfairy", Mapping: "hash"}
	c := take(1, ledger.About{Kind: "feedback", App: "Notes", Version: "1.2", Build: "7", Session: "/projects/1/builds/2/sessions/3", Email: "ann@example.com", Text: "=it crashes"})
	h.must(c.Creating(t.Context(), where))
	at = at.Add(3 * time.Second)
	h.must(c.CreatedAndCompleted(t.Context(), "BUG-17"))
	at = first.Add(time.Hour)
	c = take(2, ledger.About{Kind: "crash", App: "漢字アプリ", Email: "bob@example.org", Text: strings.Repeat("long ", 30)})
	h.must(c.Release(t.Context(), ledger.Fault{Stage: "create", Status: 503, Text: "busy"}, true, 2*time.Second))
	at = first.Add(2 * time.Hour)
	c = take(3, ledger.About{Kind: "feedback", App: "Notes", Email: "ann@example.com", Text: "no\x1b[31m"})
	h.must(c.Creating(t.Context(), where))
	h.must(c.Died(t.Context(), ledger.Fault{Reason: "rejected", Stage: "create", Status: 404, Text: "no such project", At: at}, true))
	return h, first
}

func (h *letterHome) run(args ...string) ran {
	h.t.Helper()
	return runCommand(h.t, "", append(args, "--data", h.data)...)
}

func TestFind(t *testing.T) {
	h, first := newFoundHome(t)
	local := func(hour int) string {
		return first.Add(time.Duration(hour) * time.Hour).Local().Format("2006-01-02 15:04:05")
	}
	header := "ID            RECEIVED             STATE               TICKET      APP                 FROM                                   WHAT\n"
	one := "6b86b273ff34  " + local(0) + "  completed           BUG-17      Notes               ann@example.com                        =it crashes\n" +
		"              https://beta.example.com/DEMO/BUG-17\n"
	two := "d4735e3a265e  " + local(1) + "  claimed             -           漢字アプリ          bob@example.org                        long long long long long long lon…\n"
	three := "4e07408562be  " + local(2) + "  rejected            -           Notes               ann@example.com                        no[31m\n"
	h.run("find").want(t, exitDone, header+three+two+one, "")
	h.run("find", "CRASHES").want(t, exitDone, header+one, "")
	h.run("find", "--email", "bob").want(t, exitDone, header+two, "")
	h.run("find", "--session", "https://a.testfairy.com/projects/1/builds/2").want(t, exitDone, header+one, "")
	h.run("find", "--ticket", "bug-17", "--state", "completed", "--app", "notes").want(t, exitDone, header+one, "")
	h.run("find", "--reason", "rejected", "--since", first.Format(time.RFC3339)).want(t, exitDone, header+three, "")
	h.run("find", "--limit", "1").want(t, exitDone, header+three, "fairbridge: there are more than these last 1: narrow the search, or raise --limit\n")
	h.run("find", "nobody").want(t, exitLeft, "", "fairbridge: nothing was found; what is done is remembered for 35 days\n")
	got := h.run("find", "--csv", "--ticket", "BUG-17")
	received, changed := first.Format(time.RFC3339), first.Add(5*time.Second).Format(time.RFC3339)
	got.want(t, exitDone, "deliveryId,receivedAt,kind,app,version,build,session,from,text,state,reason,status,problem,project,ticketId,ticketUrl,attempts,updatedAt\n"+
		idOf(1)+","+received+",feedback,Notes,1.2,7,/projects/1/builds/2/sessions/3,ann@example.com,'=it crashes,completed,,,,DEMO,BUG-17,https://beta.example.com/DEMO/BUG-17,1,"+changed+"\n", "")
	var found struct{ State, Reason, From string }
	if err := json.Unmarshal([]byte(h.run("find", "--json", "--state", "dead").out), &found); err != nil || found.Reason != "rejected" || found.From != "ann@example.com" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestFindWrongly(t *testing.T) {
	for _, args := range [][]string{
		{"a", "b"}, {"--state", "done"}, {"--reason", "bad"}, {"--since", "soon"}, {"--limit", "0"}, {"--json", "--csv"},
	} {
		if got := runCommand(t, "", append([]string{"find"}, args...)...); got.code != exitUsage || got.out != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestShowDelivery(t *testing.T) {
	h, first := newFoundHome(t)
	at := func(after time.Duration) string { return first.Add(after).Format(time.RFC3339) }
	ago := terminal.Age(time.Since(first))
	h.run("show", "6b86b2").want(t, exitDone, `delivery   `+idOf(1)+`
received   `+at(0)+`, `+ago+` ago
kind       feedback
app        Notes 1.2 (7)
from       ann@example.com
text       =it crashes
session    /projects/1/builds/2/sessions/3
state      completed 5s after the webhook
ticket     BUG-17  https://beta.example.com/DEMO/BUG-17
sent to    https://beta.example.com, project DEMO, source testfairy

`+at(0)+`  the webhook arrived
`+at(2*time.Second)+`  the ticket was requested at https://beta.example.com, project DEMO, source testfairy
`+at(5*time.Second)+`  an attempt completed it (3000 ms)
`, "")
	c, err := h.ledger.Claim(t.Context(), idOf(4), ledger.Message{})
	h.must(err)
	h.must(c.Creating(t.Context(), ledger.Where{BaseURL: "https://beta.example.com", Project: "DEMO", Source: "testfairy"}))
	const files = "https://beta.example.com/api/v1/projects/DEMO/feedback/BUG-18/files/"
	h.must(c.Created(t.Context(), "BUG-18", map[string]string{"screenshot": files + "screenshot", "log": files + "log"}, nil))
	h.must(c.Completed(t.Context()))
	if got := h.run("show", idOf(4)); !strings.HasSuffix(got.out, `
The endpoint of a route's attachments, as Centercode's answer to this ticket has it:
  log          endpoint: "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/log"
  screenshot   endpoint: "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot"
`) {
		t.Errorf("got %s", got.out)
	}
	got := h.run("show", idOf(3))
	for _, want := range []string{
		"state      dead letter: it waits for a person\n",
		"problem    rejected at create (HTTP 404): no such project\n",
		"an attempt failed for good: it became a dead letter, at create, HTTP 404",
		"\nWhat to do: fairbridge dlq show 4e07408562be --data " + h.data + "\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is missing in\n%s", want, got.out)
		}
	}
	if got := h.run("show", "d4735e3a"); !strings.Contains(got.out, "state      claimed: it waits for another attempt\n") || !strings.Contains(got.out, "It continues on its own. To see whether all is well: fairbridge status --data") {
		t.Errorf("got %+v", got)
	}
	h.run("show", "abcdef").want(t, exitLeft, "", "fairbridge: abcdef: the ledger has no such delivery\n")
	h.run("show", "6b86b").want(t, exitUsage, "", "fairbridge: \"6b86b\" is not a delivery id; give at least its first 6 characters\nSee 'fairbridge show --help'.\n")
}
