package main

import (
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

// statusOf runs `fairbridge status --json` and parses its output.
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
	// The work queue has one message: the dead delivery may have been replayed.
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

// TestStatusIsPartlyRefused checks that what cannot be read does not hide the rest.
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

// TestStatusOfFolder checks that in a folder the age of the oldest message is known.
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

func TestStatusUsage(t *testing.T) {
	for _, n := range []string{"-1", "1001"} {
		runCommand(t, "", "status", "--last", n).want(t, exitUsage, "", "fairbridge: --last must be 0 to 1000\nSee 'fairbridge status --help'.\n")
	}
	runCommand(t, "", "status", "x").want(t, exitUsage, "", fmt.Sprintf("fairbridge: unexpected %q\nSee 'fairbridge status --help'.\n", "x"))
}
