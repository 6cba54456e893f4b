package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
)

// statusOf runs `fairbridge status --json` and reads what it prints.
func statusOf(t *testing.T, code int, args ...string) home.Status {
	t.Helper()
	got := runCommand(t, "", append([]string{"status", "--json"}, args...)...)
	if got.code != code || got.err != "" {
		t.Errorf("exit code %d, want %d: %s", got.code, code, got.err)
	}
	var s home.Status
	if err := json.Unmarshal([]byte(got.out), &s); err != nil {
		t.Fatalf("%v in %s", err, got.out)
	}
	return s
}

func wantProblems(t *testing.T, s home.Status, want ...string) {
	t.Helper()
	if strings.Join(s.Problems, "\n") != strings.Join(want, "\n") {
		t.Errorf("problems are\n%s\nwant\n%s", strings.Join(s.Problems, "\n"), strings.Join(want, "\n"))
	}
}

func send(t *testing.T, c *cloud, queueURL string) {
	t.Helper()
	_, err := c.home.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queueURL, MessageBody: aws.String("x")})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStatusOfStack(t *testing.T) {
	c := newCloud(t)
	asked := make(chan *http.Request, 1)
	centercode := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	}))
	t.Cleanup(centercode.Close)
	c.stack.Parameters["CentercodeBaseUrl"] = centercode.URL

	s := statusOf(t, exitLeft, "--stack", stackName)
	wantProblems(t, s,
		"centercode-api-key is missing: fairbridge secrets put centercode-api-key --stack fairbridge-prod",
		"webhook-token is missing: fairbridge secrets put webhook-token --generate --stack fairbridge-prod")
	if r := <-asked; r.Method != http.MethodGet || r.URL.String() != "/" || r.Header.Get("Authorization") != "" {
		t.Errorf("asked %s %s", r.Method, r.URL)
	}
	if !s.Centercode.Answers || s.Centercode.Status != http.StatusFound || s.Centercode.BaseURL != centercode.URL {
		t.Errorf("Centercode is %+v", s.Centercode)
	}

	c.put(t, secrets.CentercodeAPIKey, "k3y")
	c.put(t, secrets.WebhookToken, "t0ken")
	send(t, c, c.home.WorkQueueURL)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c.remember(t, ledger.Entry{DeliveryID: "older", State: ledger.Completed, TicketID: "T-1", Attempts: 1, UpdatedAt: start})
	c.remember(t, ledger.Entry{DeliveryID: "newer", State: ledger.Dead, Attempts: 3, UpdatedAt: start.Add(time.Hour),
		Last: &ledger.Fault{Reason: "rejected", Stage: "create", Status: 400, Text: "no such submitter"}})
	// The work queue has one message: the dead one may have been replayed.
	s = statusOf(t, exitDone, "--stack", stackName)
	wantProblems(t, s)
	<-asked
	if s.Work.Waiting != 1 || s.DeadLetters.Total() != 0 || s.Stack != stackName || s.Dashboard == "" || s.Runs != nil {
		t.Errorf("got %+v", s)
	}
	if len(s.Deliveries) != 2 || s.Deliveries[0].DeliveryID != "newer" || s.Deliveries[0].Last.Text != "no such submitter" ||
		s.Deliveries[1].TicketID != "T-1" || !s.Deliveries[1].UpdatedAt.Equal(start) {
		t.Errorf("deliveries are %+v", s.Deliveries)
	}
	if s = statusOf(t, exitDone, "--stack", stackName, "--last", "1"); len(s.Deliveries) != 1 {
		t.Errorf("deliveries are %+v", s.Deliveries)
	}
	<-asked

	send(t, c, c.home.DeadLetterQueueURL)
	send(t, c, c.home.DeadLetterQueueURL)
	s = statusOf(t, exitLeft, "--stack", stackName)
	wantProblems(t, s, "2 dead letters: fairbridge dlq list --stack fairbridge-prod",
		"1 dead letter that the ledger does not know as dead: fairbridge dlq adopt --stack fairbridge-prod")
	<-asked
}

// What cannot be read does not keep the rest from being told.
func TestStatusIsPartlyRefused(t *testing.T) {
	c := newCloud(t)
	c.stack.Parameters["CentercodeBaseUrl"] = "http://127.0.0.1:1"
	c.put(t, secrets.CentercodeAPIKey, "k3y")
	c.put(t, secrets.WebhookToken, "t0ken")
	for _, target := range []string{"DynamoDB_20120810.Scan", "DynamoDB_20120810.Query", "DynamoDB_20120810.GetItem", "DynamoDB_20120810.DescribeTable", "AmazonSQS.GetQueueAttributes"} {
		c.denied = target
		got := runCommand(t, "", "status", "--stack", stackName)
		if got.code != exitLeft || got.err != "" || !strings.Contains(got.out, "AccessDeniedException") ||
			!strings.Contains(got.out, "no answer from Centercode at http://127.0.0.1:1: ") || !strings.Contains(got.out, "dashboard") {
			t.Errorf("%s: got %+v", target, got)
		}
	}
}

func TestStatusAsksCentercode(t *testing.T) {
	c := newCloud(t)
	c.put(t, secrets.CentercodeAPIKey, "k3y")
	c.put(t, secrets.WebhookToken, "t0ken")
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(broken.Close)
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const routes = "routes: [{match: {event: feedback}, project: P, source: s, fields: {a: b}}]\n"
	missing := filepath.Join(t.TempDir(), "no.yaml")
	mistaken, without := write("bad.yaml", "routes: 1\n"), write("without.yaml", routes)
	with := write("with.yaml", "centercode: {baseUrl: "+broken.URL+"}\n"+routes)
	tests := []struct {
		config, note, problem string
	}{
		{missing, "not asked: its address is in fairbridge.yaml, and there is no " + missing + " here (--config)", ""},
		{mistaken, "not asked: " + mistaken + " has mistakes (fairbridge check --config " + mistaken + ")", ""},
		{without, "none is configured", "no Centercode is configured: deploy with the parameter CentercodeBaseUrl, or with centercode.baseUrl in " + without},
		{with, "", "no good answer from Centercode at " + broken.URL + ": HTTP 502"},
	}
	for _, test := range tests {
		code := exitDone
		var problems []string
		if test.problem != "" {
			code, problems = exitLeft, []string{test.problem}
		}
		s := statusOf(t, code, "--stack", stackName, "--config", test.config)
		wantProblems(t, s, problems...)
		if s.Centercode.Note != test.note || s.Centercode.Answers {
			t.Errorf("%s: %+v", test.config, s.Centercode)
		}
	}
}

// On this machine it is known how long the oldest message waits.
func TestStatusOfFolder(t *testing.T) {
	newCloud(t)
	dir := t.TempDir()
	c := cloud{home: openHome(t, dir)}
	before := time.Now().Truncate(time.Millisecond)
	send(t, &c, c.home.WorkQueueURL)
	send(t, &c, c.home.DeadLetterQueueURL)
	s := statusOf(t, exitLeft, "--data", dir, "--config", simulated(t))
	wantProblems(t, s, "no bridge runs in this folder, and 1 feedback waits: fairbridge run --data "+dir,
		"1 dead letter: fairbridge dlq list --data "+dir)
	for _, q := range []*home.QueueDepth{s.Work, s.DeadLetters} {
		if q.Waiting != 1 || q.Oldest.Before(before) || q.Oldest.After(time.Now()) {
			t.Errorf("got %+v", q)
		}
	}
	if s.Data != dir || s.Stack != "" || s.Runs == nil || *s.Runs {
		t.Errorf("got %+v", s)
	}
}

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := func(c string) string { return strings.Repeat(c, 64) }
	full := home.Status{
		Stack: stackName, Webhook: "https://abc.example.com/webhooks/testfairy", Dashboard: "https://console.example.com/",
		Work: &home.QueueDepth{Waiting: 3, InWork: 2, Delayed: 1, Oldest: now.Add(-90 * time.Minute)}, DeadLetters: &home.QueueDepth{Waiting: 1, InWork: 1},
		Secrets: []home.SecretState{
			{Name: secrets.CentercodeAPIKey, Exists: true, Since: now, Version: 2},
			{Name: secrets.TestFairyAPIKey},
			{Name: secrets.WebhookToken},
		},
		Centercode: home.CentercodeStatus{BaseURL: "https://beta.example.com", Answers: true, Status: 200, Took: 87},
		Deliveries: []home.DeliveryStatus{
			{DeliveryID: id("a"), State: ledger.Completed, TicketID: "TKT-1", Attempts: 1, UpdatedAt: now.Add(-30 * time.Second)},
			{DeliveryID: id("b"), State: ledger.Dead, Attempts: 4, UpdatedAt: now.Add(-3 * time.Hour),
				Last: &ledger.Fault{Stage: "create", Text: "no\x1b[31m\nsubmitter"}},
		},
		Partial:  true,
		Problems: []string{"2 dead letters: fairbridge dlq list --stack fairbridge-prod", "a\x1b\nb"},
	}
	tests := []struct {
		s    home.Status
		want string
	}{
		{full, `bridge              stack fairbridge-prod
webhook             https://abc.example.com/webhooks/testfairy
work queue          3 waiting, 2 in work, 1 delayed, the oldest from 1h ago
dead letters        2
Centercode          https://beta.example.com answers (HTTP 200, 87 ms)
centercode-api-key  since 2026-01-02 03:04:05 UTC (version 2)
testfairy-api-key   missing (needed for session logs, 'fairbridge webhook' and 'fairbridge reconcile' only)
webhook-token       missing
dashboard           https://console.example.com/

AGE  STATE      TICKET  ATTEMPTS  DELIVERY      LAST FAULT
30s  completed  TKT-1   1         aaaaaaaaaaaa  -
3h   dead       -       4         bbbbbbbbbbbb  create: no[31m submitter
The ledger is large: these are the last of a part of it. The dashboard has all.

This needs a person:
  2 dead letters: fairbridge dlq list --stack fairbridge-prod
  a b
`},
		{home.Status{
			Data: ".fairbridge", Runs: aws.Bool(true), Webhook: "http://127.0.0.1:8080/webhooks/testfairy",
			Work: &home.QueueDepth{}, DeadLetters: &home.QueueDepth{},
			Mapping:    &home.MappingStatus{Hash: id("c"), Since: now, File: "/a/fairbridge.yaml", Differs: true},
			Centercode: home.CentercodeStatus{Note: "none is configured in fairbridge.yaml: tickets go to the simulator"},
		}, `bridge        folder .fairbridge, running
webhook       http://127.0.0.1:8080/webhooks/testfairy
mapping       cccccccccccc, since 2026-01-02T03:04:05Z, /a/fairbridge.yaml, which differs
work queue    0 waiting, 0 in work, 0 delayed
dead letters  0
Centercode    none is configured in fairbridge.yaml: tickets go to the simulator

Nothing needs a person.
`},
		{home.Status{
			Data: "x", Runs: aws.Bool(false), Webhook: "http://127.0.0.1:8080/webhooks/testfairy",
			Centercode: home.CentercodeStatus{BaseURL: "https://beta.example.com"}, Problems: []string{"no queues"},
		}, `bridge      folder x, not running
Centercode  https://beta.example.com is not responding correctly

This needs a person:
  no queues
`},
	}
	for i, test := range tests {
		var out bytes.Buffer
		if err := writeStatus(&out, &test.s, now); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%d: got\n%s\nwant\n%s", i, &out, test.want)
		}
	}
}

func TestStatusUsage(t *testing.T) {
	for _, n := range []string{"-1", "1001"} {
		runCommand(t, "", "status", "--last", n).want(t, exitUsage, "", "fairbridge: --last must be 0 to 1000\nSee 'fairbridge status --help'.\n")
	}
	runCommand(t, "", "status", "x").want(t, exitUsage, "", fmt.Sprintf("fairbridge: unexpected %q\nSee 'fairbridge status --help'.\n", "x"))
}
