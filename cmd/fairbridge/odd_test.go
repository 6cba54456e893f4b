package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/home"
	"fairbridge/pkg/testfairy"
)

// oddFields are fields as in the shipped fairbridge.yaml.
const oddFields = `    fields:
      submitter: {value: "{{ .email | address }}", omitEmpty: true}
      summary: '{{ .text | firstLine | truncate 120 "…" | default (or .appName "an app" | print "Feedback on ") }}'
      description: |
        {{ .text | default "(no text)" }}
        {{- with formFields }}
        {{ range $name, $value := . }}{{ with $value }}
        {{ $name }}: {{ . }}{{ end }}{{ end }}{{ end }}
        {{- if ne (trim .email) (address .email) }}
        From: {{ .email }}{{ end }}
      deliveryId: "{{ .deliveryId }}"
    attachments:
      - {from: "{{ .screenshotUrl }}", element: screenshot, optional: true}
`

// oddCase is a webhook with an oddity.
type oddCase struct {
	name, payload string
	odd           []string // fields that the response names
	// submitter and summary are those of the ticket; description is contained in its
	// description. "" is not checked, "-" must be missing.
	submitter, summary, description string
	files                           int
}

func oddCases(t *testing.T) []oddCase {
	sample := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", "events", "odd", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	with := func(n int, field, value string) string {
		return fmt.Sprintf(`{"event":"feedback","text":"odd %d",%q:%s}`, n, field, value)
	}
	cases := []oddCase{
		{name: "a user's id as email", payload: sample("email-user-id"), odd: []string{"email"}, submitter: "-", description: "From: user-95", files: 1},
		{name: "form without text", payload: sample("form-without-text"), odd: []string{"text"}, summary: "Feedback on Demo App", description: "bio: It crashes when I tap Save"},
		{name: "stray % in a URL", payload: sample("icon-url-bad-escape"), odd: []string{"iconUrl"}, files: 1},
		{name: "space in the screenshot's URL", payload: sample("screenshot-url-space"), files: 1},
		{name: "combining marks", payload: sample("combining-marks"), description: "ello it crashed", files: 1},
		{name: "capitals", payload: sample("capitals"), summary: "App doesn't render nicely in landscape", files: 1},
		{name: "blank text", payload: sample("nothing-said"), odd: []string{"text"}, summary: "Feedback on Demo App", description: "(no text)"},
		{name: "every type wrong", payload: sample("wrong-types"), submitter: "alice@corporation.com", odd: []string{
			"timestamp", "version", "build", "appName", "filesize", "iconUrl", "buildUrl", "sessionUrl",
			"screenshotUrl", "correlationId", "email", "rawDeviceName", "ipAddress", "text",
		}},
	}
	for i, c := range []struct{ value, submitter string }{
		{`"n/a"`, "-"}, {`"+49 151 0000000"`, "-"}, {`"user..name@docomo.ne.jp"`, ""}, {`"Name <a@b.example>"`, "a@b.example"},
		{`"a@b.example, c@d.example"`, ""}, {`"a@b.example."`, ""}, {`7`, "-"}, {`{}`, "-"},
	} {
		cases = append(cases, oddCase{name: "email " + c.value, payload: with(i, "email", c.value), odd: []string{"email"}, submitter: c.submitter})
	}
	cases = append(cases, oddCase{name: "space around the email", payload: with(20, "email", `" a@b.example "`), submitter: "a@b.example"})
	for i, c := range []struct{ field, value string }{
		{"filesize", `"548 KB"`}, {"iconUrl", `"app.testfairy.com/x.png"`}, {"sessionUrl", `"null"`}, {"appName", `{}`}, {"screenshotUrl", `"not yet"`},
	} {
		cases = append(cases, oddCase{name: c.field + " " + c.value, payload: with(30+i, c.field, c.value), odd: []string{c.field}})
	}
	return cases
}

// TestOddWebhooksBecomeTickets checks that any webhook with the right token is accepted and
// becomes one ticket, and that its oddities are named in the response and in the bridge's
// output. It uses the real listener, queue, worker and simulator.
func TestOddWebhooksBecomeTickets(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	config, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(config), "    fields:\n")
	if err := os.WriteFile(f.config, []byte(head+oddFields), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startBridge(t, f, data)
	cases := oddCases(t)
	ids := map[string]string{}
	for _, c := range cases {
		status, answer, err := home.Send(t.Context(), p.webhook, []byte(c.payload))
		var receipt struct {
			DeliveryID string
			Warnings   []struct{ Pointer string }
		}
		if err != nil || status != http.StatusAccepted || json.Unmarshal([]byte(answer), &receipt) != nil {
			t.Errorf("%s: answered %d %s, %v", c.name, status, answer, err)
			continue
		}
		var named []string
		for _, w := range receipt.Warnings {
			named = append(named, strings.TrimPrefix(w.Pointer, "#/"))
		}
		if !slices.Equal(named, c.odd) {
			t.Errorf("%s: the answer names %q, want %q", c.name, named, c.odd)
		}
		ids[c.name] = receipt.DeliveryID
	}
	if status, answer, err := home.Send(t.Context(), p.webhook, []byte(`{"hello":"Test"}`)); err != nil || status != 200 || answer != `{"status":"ignored"}` {
		t.Errorf("a payload without a kind gets %d %s, %v", status, answer, err)
	}
	s := openState(t, data)
	s.settled()
	if letters := s.letters(); len(letters) != 0 {
		t.Errorf("dead letters %+v", letters)
	}
	tickets := f.center.Tickets()
	for _, c := range cases {
		c.check(t, ids[c.name], tickets)
	}
	if len(tickets) != len(cases) {
		t.Errorf("%d tickets, want %d", len(tickets), len(cases))
	}
	p.interrupt()
	if !strings.Contains(p.out.String(), `"odd":["email"]`) {
		t.Errorf("the oddities are not printed:\n%s", p.out)
	}
}

// check checks the only ticket of the case.
func (c oddCase) check(t *testing.T, id string, tickets []centercodesim.Ticket) {
	t.Helper()
	event, err := testfairy.Decode([]byte(c.payload))
	if err != nil || event.DeliveryID() != id {
		t.Errorf("%s: its delivery is %s, the response named %s, %v", c.name, event.DeliveryID(), id, err)
	}
	own := slices.DeleteFunc(slices.Clone(tickets), func(ticket centercodesim.Ticket) bool { return ticket.Fields["deliveryId"] != id })
	if len(own) != 1 {
		t.Errorf("%s: %d tickets", c.name, len(own))
		return
	}
	fields := map[string]string{}
	for name, value := range own[0].Fields {
		fields[name] = fmt.Sprint(value)
	}
	submitter, sent := fields["submitter"]
	if c.submitter == "-" && sent || c.submitter != "" && c.submitter != "-" && submitter != c.submitter {
		t.Errorf("%s: the submitter is %q, want %q", c.name, submitter, c.submitter)
	}
	if c.summary != "" && fields["summary"] != c.summary || strings.Trim(fields["summary"], "… \n") == "" {
		t.Errorf("%s: the summary is %q, want %q", c.name, fields["summary"], c.summary)
	}
	if !strings.Contains(fields["description"], c.description) {
		t.Errorf("%s: %q is not in the description %q", c.name, c.description, fields["description"])
	}
	if len(own[0].Files) != c.files {
		t.Errorf("%s: %d files, want %d", c.name, len(own[0].Files), c.files)
	}
}
