package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"fairbridge/pkg/testfairy"
)

// fieldsOf maps the feedback payload, with changes, by a route with these fields.
func fieldsOf(t *testing.T, fields string, changes map[string]any) (Request, error) {
	t.Helper()
	return mustParse(t, route(fields)).Map(input(t, with(t, feedback, changes)))
}

func TestValues(t *testing.T) {
	severity := `      x: {choice: "{{ .severity }}", allowed: [Low, Medium, High], synonyms: {minor: Low, "very bad": High}`
	for _, test := range []struct {
		name, fields string
		changes      map[string]any
		want         string
	}{
		{"template", `      x: "{{ .text | truncate 3 }}"`, nil, `{"x":"App"}`},
		{"order of the file", "      z: a\n      a: b\n      m: c", nil, `{"z":"a","a":"b","m":"c"}`},
		{"constants keep their type", `      x: [1, 1.50, -2e3, true, False, "1", text]`, nil, `{"x":[1,1.50,-2e3,true,false,"1","text"]}`},
		{"date without quotes", `      x: [2015-07-01, 2015-07-01 17:21:00]`, nil, `{"x":["2015-07-01","2015-07-01 17:21:00"]}`},
		{"empty", `      x: "{{ .nothing }}"`, nil, `{"x":""}`},
		{"space is kept", `      x: " {{ .build }} "`, nil, `{"x":" 1 "}`},
		{"omitEmpty", `      x: {value: " {{ .nothing }} ", omitEmpty: true}`, nil, `{}`},
		{"list drops what is empty", `      x: ["{{ .nothing }}", "{{ .build }}", "{{ .no }}"]`, nil, `{"x":["1"]}`},
		{"empty list", `      x: ["{{ .nothing }}"]`, nil, `{"x":[]}`},
		{"empty list left out", `      x: {value: ["{{ .nothing }}"], omitEmpty: true}`, nil, `{}`},
		{"number", `      x: {value: "{{ .build }}", type: number}`, nil, `{"x":1}`},
		{"number from text", `      x: {value: " {{ .build }}", type: number}`, map[string]any{"build": "007.5"[2:]}, `{"x":7.5}`},
		{"boolean", `      x: {value: "{{ .yes }}", type: boolean}`, nil, `{"x":true}`},
		{"boolean from text", `      x: {value: "{{ .yes }}", type: boolean}`, map[string]any{"yes": "FALSE"}, `{"x":false}`},
		{"type text", `      x: {value: "{{ .build }}", type: text}`, nil, `{"x":"1"}`},
		{"list of numbers", `      x: {value: ["{{ .build }}", 2], type: number}`, nil, `{"x":[1,2]}`},
		{"split", `      x: {value: "{{ .t }}", split: ","}`, map[string]any{"t": "a, b,,c "}, `{"x":["a","b","c"]}`},
		{"omit a domain", `      x: {value: "{{ .email }}", omit: ["*@Corporation.com", b@example.com]}`, nil, `{}`},
		{"omit an address", `      x: {value: "{{ .email }}", omit: b@example.com}`, map[string]any{"email": " B@Example.com "}, `{}`},
		{"omit others only", `      x: {value: "{{ .email }}", omit: ["*@example.com"]}`, nil, `{"x":"alice@corporation.com"}`},
		{"omit wins over required", `      x: {value: "{{ .email }}", omit: "alice@*", required: true}`, nil, `{}`},
		{"choice to the letter", severity + "}", map[string]any{"severity": "High"}, `{"x":"High"}`},
		{"choice in another case", severity + "}", map[string]any{"severity": " hIGH "}, `{"x":"High"}`},
		{"choice by a synonym", severity + "}", map[string]any{"severity": "Very Bad"}, `{"x":"High"}`},
		{"choice falls back", severity + ", fallback: Medium}", map[string]any{"severity": "odd"}, `{"x":"Medium"}`},
		{"empty choice falls back", severity + ", fallback: Medium}", nil, `{"x":"Medium"}`},
		{"empty choice left out", severity + ", fallback: Medium, omitEmpty: true}", nil, `{}`},
		{"choice of numbers", `      x: {choice: "{{ .stars }}", allowed: [1, 2, 3]}`, map[string]any{"stars": "3"}, `{"x":3}`},
		{"two spellings", `      x: {choice: "{{ .s }}", allowed: [low, Low]}`, map[string]any{"s": "Low"}, `{"x":"Low"}`},
		{"multiple choice", `      x: {choice: "{{ .s }}", split: ";", allowed: [A, B, C], synonyms: {first: A}}`, map[string]any{"s": "c;first;a"}, `{"x":["C","A"]}`},
		{"multiple choice of templates", `      x: {choice: ["{{ .a }}", "{{ .b }}"], allowed: [A, B]}`, map[string]any{"a": "b"}, `{"x":["B"]}`},
		{"control characters", `      x: "{{ .t }}"`, map[string]any{"t": "a\x00\x1b\"<&>\u2028\uFFFE"}, "{\"x\":\"a\\u0000\\u001b\\\"<&>\\u2028\uFFFE\"}"},
		{"hard name", "      \"a\\\"\\u0001<\": 1", nil, `{"a\"\u0001<":1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := fieldsOf(t, test.fields, test.changes)
			if err != nil || string(req.Body) != test.want || !json.Valid(req.Body) {
				t.Errorf("body %s, %v; want %s", req.Body, err, test.want)
			}
		})
	}
}

func TestFieldErrors(t *testing.T) {
	for _, test := range []struct {
		name, fields string
		changes      map[string]any
		problem      string
		value        string
	}{
		{"required", `      x: {value: " {{ .nothing }}", required: true}`, nil, "is required, and the event has nothing for it", ""},
		{"required list", `      x: {value: ["{{ .nothing }}"], required: true}`, nil, "is required, and the event has nothing for it", ""},
		{"choice", `      x: {choice: "{{ .s }}", allowed: [A]}`, map[string]any{"s": " s3cret "}, "is not one of the allowed values", "s3cret"},
		{"empty choice", `      x: {choice: "{{ .s }}", allowed: [A]}`, nil, "is empty, which is not one of the allowed values", ""},
		{"one of several", `      x: {choice: "{{ .s }}", split: ",", allowed: [A]}`, map[string]any{"s": "a,s3cret"}, "is not one of the allowed values", "s3cret"},
		{"number", `      x: {value: "{{ .s }}", type: number}`, map[string]any{"s": "s3cret"}, "is not a number", "s3cret"},
		{"not JSON's number", `      x: {value: "{{ .s }}", type: number}`, map[string]any{"s": "0x10"}, "is not a number", "0x10"},
		{"boolean", `      x: {value: "{{ .s }}", type: boolean}`, map[string]any{"s": "yes"}, "is neither true nor false", "yes"},
		{"template", `      x: "{{ truncate .s .text }}"`, map[string]any{"s": "s3cret"}, "truncate needs a whole number of characters first", ""},
		{"too long", `      x: "{{ .s }}"`, map[string]any{"s": strings.Repeat("é", 1<<19+1)}, "yields more than 1048576 bytes", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := fieldsOf(t, test.fields, test.changes)
			var fe *FieldError
			if !errors.As(err, &fe) {
				t.Fatalf("error %v, want a *FieldError", err)
			}
			if fe.Problem != test.problem || fe.Value != test.value || fe.Field != "fields.x" || fe.Route != 0 || fe.Line != 6 {
				t.Errorf("%+v, want problem %q and value %q", fe, test.problem, test.value)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes the event: %v", err)
			}
		})
	}
}

func TestEveryFieldErrorAtOnce(t *testing.T) {
	_, err := fieldsOf(t, `      a: {value: "{{ .x }}", required: true}
      b: fine
      c: {choice: "{{ .x }}", allowed: [A]}`, nil)
	want := "line 6: fields.a: is required, and the event has nothing for it\n" +
		"line 8: fields.c: is empty, which is not one of the allowed values"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	req, err := mustParse(t, route(`      x: {choice: "{{ .text }}", allowed: [A, B], fallback: B}
      y: '{{ .appName | date "2006" }}'
      submitter: {value: "{{ .nothing }}", omitEmpty: true}
      status: "{{ .nothing }}"
      summary: "{{ .nothing }}"
    attachments:
      - {from: "{{ .nothing }}", element: log}
      - {from: "{{ .screenshotUrl }}", element: screenshot}`)).Map(input(t, feedback))
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{
		{"fields.x", `is not one of the allowed values; the fallback "B" is sent`, "App doesn't render nicely in landscape"},
		{"fields.y", "date was given what is not a time", ""},
		{"fields.status", "is sent as an empty text, which Centercode may refuse; omitEmpty: true leaves it out", ""},
	}
	if !reflect.DeepEqual(req.Warnings, want) {
		t.Errorf("warnings %q, want %q", req.Warnings, want)
	}
	if want := []string{"log"}; !reflect.DeepEqual(req.NotAttached, want) || len(req.Attachments) != 1 {
		t.Errorf("not attached: %q, want %q; attached: %v", req.NotAttached, want, req.Attachments)
	}
	if s := req.Warnings[0].String(); s != `fields.x: is not one of the allowed values; the fallback "B" is sent` {
		t.Errorf("text %q", s)
	}
}

func TestRoutes(t *testing.T) {
	c := mustParse(t, `
defaults: {source: testfairy, fields: {text: "{{ .text }}"}}
routes:
  - {match: {event: feedback, app: ["Spam*", "*Test*"]}, ignore: true}
  - {match: {event: feedback, app: "Demo App"}, project: EXACT}
  - {match: {event: feedback, app: ["Demo *", Other]}, project: GLOB}
  - {match: {event: feedback, project: 11}, project: NUMBER}
  - {match: {event: feedback, project: [12-twelve, "*-thirteen"]}, project: NAME}
  - {match: {event: feedback, version: ">=2.1 <3"}, project: VERSION}
  - {match: {event: feedback, when: '{{ match "^urgent" .text }}'}, project: WHEN}
  - {match: {event: [crash, upload]}, project: CRASH}
`)
	for _, test := range []struct {
		changes map[string]any
		want    string
	}{
		{nil, "EXACT"},
		{map[string]any{"appName": "Demo App 2"}, "GLOB"},
		{map[string]any{"appName": "Other"}, "GLOB"},
		{map[string]any{"appName": "other"}, "no route"},
		{map[string]any{"appName": "Spam"}, "ignored"},
		{map[string]any{"appName": "My Testing"}, "ignored"},
		{map[string]any{"appName": "x", "buildUrl": "https://app.testfairy.com/projects/11-eleven/builds/1"}, "NUMBER"},
		{map[string]any{"appName": "x", "buildUrl": "https://app.testfairy.com/projects/11/builds/1"}, "NUMBER"},
		{map[string]any{"appName": "x", "buildUrl": "https://app.testfairy.com/projects/111/builds/1"}, "no route"},
		{map[string]any{"appName": "x", "buildUrl": nil, "sessionUrl": "https://a/projects/12-twelve/builds/1/sessions/2"}, "NAME"},
		{map[string]any{"appName": "x", "buildUrl": "https://a/projects/13-thirteen/builds/1"}, "NAME"},
		{map[string]any{"appName": nil, "version": "2.10"}, "VERSION"},
		{map[string]any{"appName": nil, "version": json.Number("2.1")}, "VERSION"},
		{map[string]any{"appName": nil, "version": "3.0"}, "no route"},
		{map[string]any{"appName": nil, "text": "urgent: x"}, "WHEN"},
		{map[string]any{"appName": nil, "buildUrl": nil, "sessionUrl": nil, "version": nil}, "no route"},
		{map[string]any{"event": "crash"}, "CRASH"},
		{map[string]any{"event": "upload"}, "CRASH"},
		{map[string]any{"event": "download"}, "no route"},
		{map[string]any{"event": "new-udid"}, "no route"},
	} {
		req, err := c.Map(input(t, with(t, feedback, test.changes)))
		got := req.Project
		switch {
		case errors.Is(err, ErrIgnored):
			got = "ignored"
		case errors.Is(err, ErrNoRoute):
			got = "no route"
		case err != nil:
			t.Errorf("%v: %v", test.changes, err)
		case c.Routes[req.Route].Project != got:
			t.Errorf("%v: route %d, want that of %s", test.changes, req.Route, got)
		}
		if got != test.want {
			t.Errorf("%v: %s, want %s", test.changes, got, test.want)
		}
	}
	for kind, want := range map[testfairy.Kind]bool{
		testfairy.KindFeedback: true, testfairy.KindCrash: true, testfairy.KindUpload: true,
		testfairy.KindDownload: false, "new-udid": false, "": false,
	} {
		if got := c.Wants(kind); got != want {
			t.Errorf("Wants(%q) = %t", kind, got)
		}
	}
	if mustParse(t, "routes: [{match: {}, ignore: true}]").Wants(testfairy.KindFeedback) {
		t.Error("Wants a kind that is always ignored")
	}
}

func TestWhenFails(t *testing.T) {
	c := mustParse(t, `routes: [{match: {when: "{{ truncate .text .text }}"}, ignore: true}]`)
	_, err := c.Map(input(t, feedback))
	var fe *FieldError
	if !errors.As(err, &fe) || fe.Field != "match.when" {
		t.Errorf("error %v, want one of match.when", err)
	}
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, `
defaults:
  project: A
  source: s
  fields: {one: "1", two: "2", id: "{{ .deliveryId }}"}
  attachments: [{from: "{{ .screenshotUrl }}", element: screenshot, endpoint: "/t/{{ .ticketId }}", onLostAnswer: park}]
  onLostAnswer: retry
  lookup: {package: p, column: c, ticketColumn: t, settle: 5s}
routes:
  - {match: {event: feedback, app: Demo App}}
  - match: {event: feedback}
    project: B
    source: r
    fields: {three: "3", two: "two"}
    attachments: []
    onLostAnswer: park
    lookup: {package: q, column: c, ticketColumn: t}
`)
	first, err := c.Map(input(t, feedback))
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Route: 0, Project: "A", Source: "s",
		Body: json.RawMessage(`{"one":"1","two":"2","id":"0123456789abcdef"}`),
		Attachments: []Attachment{{Element: "screenshot", Field: "file", Want: WantImage, Endpoint: "/t/{ticketId}", OnLostAnswer: Park,
			URL: "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg"}},
		OnLostAnswer: Retry,
		Lookup:       &Lookup{"p", "c", "t", 5 * time.Second},
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("%+v\nwant %+v", first, want)
	}
	second, err := c.Map(input(t, with(t, feedback, map[string]any{"appName": "x"})))
	if err != nil {
		t.Fatal(err)
	}
	want = Request{
		Route: 1, Project: "B", Source: "r",
		Body:         json.RawMessage(`{"one":"1","two":"two","id":"0123456789abcdef","three":"3"}`),
		OnLostAnswer: Park,
		Lookup:       &Lookup{"q", "c", "t", time.Minute},
	}
	if !reflect.DeepEqual(second, want) {
		t.Errorf("%+v\nwant %+v", second, want)
	}
}

func TestAttachments(t *testing.T) {
	c := mustParse(t, route(`      x: "{{ .ticketId }}"
    attachments:
      - {from: " {{ .screenshotUrl }}\n", element: a, filename: "{{ .deliveryId | truncate 8 }}.jpg", field: upload, optional: true,
         endpoint: "https://beta.example.com/api/{{ .ticketId }}/files"}
      - {from: "{{ .no }}", element: b}`))
	req, err := c.Map(input(t, with(t, feedback, map[string]any{"ticketId": "of the app"})))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"x":"of the app"}`; string(req.Body) != want {
		t.Errorf("body %s, want %s", req.Body, want)
	}
	want := Attachment{
		Element: "a", Field: "upload", Optional: true, Filename: "01234567.jpg", Want: WantImage, OnLostAnswer: Retry,
		URL:      "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg",
		Endpoint: "https://beta.example.com/api/{ticketId}/files",
	}
	if len(req.Attachments) != 1 || req.Attachments[0] != want {
		t.Fatalf("%+v, want %+v", req.Attachments, want)
	}
	if got := req.Attachments[0].EndpointFor("4/2"); got != "https://beta.example.com/api/4%2F2/files" {
		t.Errorf("endpoint %s", got)
	}
}

func TestRequestIsBounded(t *testing.T) {
	var fields strings.Builder
	for i := range 12 {
		fmt.Fprintf(&fields, "      x%d: \"{{ .text }}\"\n", i)
	}
	_, err := fieldsOf(t, fields.String(), map[string]any{"text": strings.Repeat("x", 900_000)})
	var fe *FieldError
	if !errors.As(err, &fe) || fe.Problem != "the request is longer than 8388608 bytes" {
		t.Errorf("error %v", err)
	}
}

func TestMapConcurrently(t *testing.T) {
	c := mustParse(t, route(`      x: '{{ range .tags }}{{ . | upper }}{{ end }}{{ match "A" .text }}'`))
	in := input(t, feedback)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if req, err := c.Map(in); err != nil || string(req.Body) != `{"x":"UILANDSCAPEtrue"}` {
					t.Errorf("%s, %v", req.Body, err)
				}
			}
		})
	}
	group.Wait()
}

func TestSources(t *testing.T) {
	c := mustParse(t, `
centercode: {baseUrl: "http://127.0.0.1:8081/x/"}
sources:
  hosts: [Files.example.com, "*.example.org"]
  allowLoopback: true
  resolve: {app.testfairy.com: "http://127.0.0.1:8081/testfairy"}
  maxBytes: 1.5 MiB
routes: [{match: {event: feedback}, ignore: true}]
`)
	want := Sources{
		Hosts:         []string{"files.example.com", "*.example.org"},
		AllowLoopback: true,
		Resolve:       map[string]string{"app.testfairy.com": "http://127.0.0.1:8081/testfairy"},
		MaxBytes:      1572864,
	}
	if !reflect.DeepEqual(c.Sources, want) || c.Centercode.BaseURL != "http://127.0.0.1:8081/x" {
		t.Errorf("%+v %+v", c.Sources, c.Centercode)
	}
	for text, bytes := range map[string]int64{"1048576": 1 << 20, "2 GiB": 2 << 30, "500MB": 500_000_000, "1 B": 1, "2GB": 2_000_000_000} {
		c := mustParse(t, "sources: {maxBytes: "+text+"}\nroutes: [{match: {}, ignore: true}]")
		if c.Sources.MaxBytes != bytes {
			t.Errorf("%s: %d bytes, want %d", text, c.Sources.MaxBytes, bytes)
		}
	}
	if c := mustParse(t, "routes: [{match: {}, ignore: true}]"); c.Sources.MaxBytes != 2<<30 {
		t.Errorf("%d bytes by default", c.Sources.MaxBytes)
	}
}
