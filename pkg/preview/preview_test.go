package preview_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

const routes = `sources: {hosts: [files.example.com]}
routes:
  - match: {event: feedback, app: Gone}
    ignore: true
  - match: {event: feedback}
    project: P
    source: s
    fields:
      text: "{{ .text }}"
      severity: {value: "{{ .severity }}", required: true}
    attachments: [{from: "{{ .screenshotUrl }}", element: shot}]
`

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func checker(t *testing.T, yaml string) *preview.Checker {
	t.Helper()
	m, err := mapping.Parse("x.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	c, err := preview.New(preview.Config{Mapping: m, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPayload(t *testing.T) {
	tests := []struct {
		name, payload string
		outcome       preview.Outcome
		status        int
		reason        string
		problems      string
	}{
		{"a ticket", `{"event":"feedback","text":"a","severity":"b"}`, preview.Ticket, 0, "", ""},
		{"no route for the kind", `{"event":"crash"}`, preview.Ignored, 0, "no route wants its kind", ""},
		{"an ignoring route", `{"event":"feedback","text":"a","appName":"Gone"}`, preview.Ignored, 0, "its route ignores it", ""},
		{"no JSON", `{`, preview.Refused, 400, "", "*"},
		{"too large", `{"event":"feedback","text":"` + strings.Repeat("x", ingest.MaxPayloadBytes) + `"}`, preview.Refused, 413, "", "larger than 1000000 bytes"},
		{"nothing where something must be", `{"event":"feedback","text":"a"}`, preview.DeadLetter, 0, "mapping", "*"},
		{"a forbidden source", `{"event":"feedback","text":"a","severity":"b","screenshotUrl":"https://elsewhere.example.com/a.png"}`, preview.Ticket, 0, "", "*"},
	}
	c := checker(t, routes)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := c.Payload(preview.NewPayload("p", []byte(test.payload)))
			if p.Outcome != test.outcome || p.Status != test.status || p.Reason != test.reason {
				t.Errorf("got %+v", p)
			}
			var problems []string
			for _, r := range p.Problems {
				problems = append(problems, r.Text(""))
			}
			if got := strings.Join(problems, "\n"); test.problems == "*" && got == "" || test.problems != "*" && got != test.problems {
				t.Errorf("the problems are %q", got)
			}
		})
	}
}

// TestEndpointElsewhere checks that an endpoint to which the API key would not be sent is a
// problem before anything is sent, unless centercode.hosts lists its host.
func TestEndpointElsewhere(t *testing.T) {
	for _, tt := range []struct{ centercode, endpoint, problem string }{
		{"{baseUrl: https://beta.example.com}", "https://elsewhere.example/{{ .ticketId }}", "elsewhere.example, and centercode.baseUrl is on beta.example.com"},
		{"{baseUrl: https://beta.example.com}", "https://beta.example.com:8443/{{ .ticketId }}", "beta.example.com:8443"},
		{"{baseUrl: https://beta.example.com}", "https://beta.example.com/{{ .ticketId }}", ""},
		{"{baseUrl: https://beta.example.com}", "/api/v1/{{ .ticketId }}", ""},
		{"{baseUrl: https://beta.example.com, hosts: [elsewhere.example]}", "https://elsewhere.example/{{ .ticketId }}", ""},
	} {
		yaml := "centercode: " + tt.centercode + "\n" + strings.Replace(routes, "element: shot", `element: shot, endpoint: "`+tt.endpoint+`"`, 1)
		p := checker(t, yaml).Payload(preview.NewPayload("p", []byte(
			`{"event":"feedback","text":"a","severity":"b","screenshotUrl":"https://files.example.com/a.png"}`)))
		var problems string
		for _, r := range p.Problems {
			problems += r.Text("")
		}
		if (problems == "") != (tt.problem == "") || !strings.Contains(problems, tt.problem) {
			t.Errorf("%s, %s: %q", tt.centercode, tt.endpoint, problems)
		}
	}
}

func TestRequest(t *testing.T) {
	c := checker(t, "centercode: {baseUrl: https://beta.example.com}\n"+routes)
	r, err := c.Map(queue.Envelope{DeliveryID: "d", ReceivedAt: at,
		Event: json.RawMessage(`{"event":"feedback","text":"a","severity":"b","screenshotUrl":"https://files.example.com/a.png"}`)})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Request(r)
	if p.Method != "POST" || !strings.HasPrefix(p.URL, "https://beta.example.com/") || !strings.HasSuffix(p.URL, "?apiKey=...") ||
		string(p.Fields()["text"]) != `"a"` || len(p.Attachments) != 1 || p.Attachments[0].Element != "shot" || len(p.Problems) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestCompare(t *testing.T) {
	payload := preview.NewPayload("p", []byte(`{"event":"feedback","text":"a","severity":"b"}`))
	now := checker(t, strings.ReplaceAll(routes, "project: P", "project: Q")).Payload(payload)
	was := checker(t, routes).Payload(payload)
	same := was
	if same.Compare(was); same.Changed() {
		t.Errorf("got %+v", same.Changes)
	}
	if now.Compare(was); len(now.Changes) != 1 || now.Changes[0].Key != "project" || string(now.Changes[0].Old) != `"P"` || string(now.Changes[0].New) != `"Q"` {
		t.Errorf("got %+v", now.Changes)
	}
	// If the outcome differs, nothing else is compared.
	if now.Compare(preview.Preview{Outcome: preview.Ignored}); len(now.Changes) != 1 || now.Changes[0].Key != "outcome" {
		t.Errorf("got %+v", now.Changes)
	}
}

func TestRemarkText(t *testing.T) {
	for want, r := range map[string]preview.Remark{
		`x.yaml:3: fields.text: is empty (it is "a b")`: {Line: 3, Field: "fields.text", Problem: "is empty", Value: "a\nb"},
		`no route (event crash)`:                        {Problem: "no\x1b route", Value: "event crash"},
	} {
		if got := r.Text("x.yaml"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
