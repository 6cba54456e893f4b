package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.yaml.in/yaml/v4"
)

// scrape returns the metrics of a running bridge.
func scrape(t *testing.T, p *process) string {
	t.Helper()
	resp, err := http.Get(p.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d, %v: %s", resp.StatusCode, err, text)
	}
	return string(text)
}

// TestMetrics runs a bridge that creates a ticket and a dead letter and refuses webhooks,
// and scrapes it. Each metric named by an alert, the dashboard or the documentation must
// exist.
func TestMetrics(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	begin := scrape(t, p)
	for _, line := range []string{`fairbridge_dead_letters_total{reason="ambiguous"} 0`, `fairbridge_failed_total{service="ingest"} 0`,
		`fairbridge_refused_webhooks_total{reason="body_cut_off"} 0`} {
		if !strings.Contains(begin, line+"\n") {
			t.Errorf("%s is missing, so the first one would not be an increase", line)
		}
	}
	webhook, _, _ := strings.Cut(p.webhook, "?")
	for _, sent := range []struct{ webhook, payload string }{
		{p.webhook, payload(1)}, {p.webhook, `{"event":"install"}`}, {p.webhook, "not JSON"}, {webhook, payload(2)}, {webhook + "?token=wr0ng", payload(2)},
	} {
		if _, ok := deliver(t.Context(), sent.webhook, sent.payload); ok != (sent.payload == payload(1)) {
			t.Fatalf("accepted: %v, %s", ok, sent.payload)
		}
	}
	s := openState(t, data)
	s.settled()
	if _, err := s.home.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &s.home.DeadLetterQueueURL, MessageBody: aws.String("somebody@example.com")}); err != nil {
		t.Fatal(err)
	}
	scraped := scrape(t, p)
	for _, line := range []string{
		`fairbridge_received_total{service="ingest"} 5`, `fairbridge_ignored_total{service="ingest"} 1`, `fairbridge_rejected_total{service="ingest"} 3`,
		`fairbridge_lost_total{service="ingest"} 1`, `fairbridge_wrong_token_total{service="ingest"} 1`,
		`fairbridge_refused_webhooks_total{reason="no_token"} 1`, `fairbridge_refused_webhooks_total{reason="not_json_object"} 1`,
		`fairbridge_tickets_created_total{service="worker"} 1`, `fairbridge_attachments_total{service="worker"} 1`, `fairbridge_webhook_to_ticket_seconds_count 1`,
		`fairbridge_waiting{queue="work",state="ready"} 0`, `fairbridge_waiting_age_seconds{queue="files"} 0`, `fairbridge_dead_letters_waiting 1`, `fairbridge_breaker_open_seconds{project="*"} 0`,
		`fairbridge_paused_seconds{project="*"} 0`, `fairbridge_key_refused{project="*"} 0`,
	} {
		if !strings.Contains(scraped, line+"\n") {
			name, _, _ := strings.Cut(line, " ")
			t.Errorf("%s is missing; found %s", line, regexp.MustCompile(regexp.QuoteMeta(name)+".*").FindString(scraped))
		}
	}
	for _, canary := range []string{"alice@corporation.com", "somebody@example.com", "wr0ng", strings.TrimPrefix(p.webhook, webhook)} {
		if strings.Contains(scraped, canary) {
			t.Errorf("the metrics contain %s", canary)
		}
	}
	for _, file := range []string{"deploy/prometheus/alerts.yaml", "deploy/prometheus/alerts_test.yaml", "deploy/grafana/dashboard.json", "docs/operations.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(fairbridge_[a-z_]+|process_[a-z_]+|go_[a-z_]+)\b`).FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^` + name + `(_count)?[ {]`).MatchString(scraped) {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
	if code := p.interrupt(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
}

// TestAlertsAreThoseOfAStack checks that each alarm of the template has an alert here,
// unless only AWS has its metric.
func TestAlertsAreThoseOfAStack(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, rule := range rules.Groups[0].Rules {
		alerts = append(alerts, rule.Alert)
	}
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"OldestMessage": "LongWait", "OldestFiles": "LongWait", "LongRetry": "LongWait", "ThrottledWebhooks": "ServerErrors", "ApiServerErrors": "ServerErrors"}
	onlyAWS := regexp.MustCompile("^(Ingest|Worker)(Errors|Throttles|Duration)$")
	alarms := regexp.MustCompile(`(?m)^  (\w+)Alarm:\n    Type: AWS::CloudWatch::Alarm`).FindAllStringSubmatch(string(template), -1)
	if len(alarms) < 18 {
		t.Fatalf("found the alarms %q", alarms)
	}
	for _, alarm := range alarms {
		name := alarm[1]
		if is := other[name]; is != "" {
			name = is
		}
		if !onlyAWS.MatchString(name) && !slices.Contains(alerts, "FairBridge"+name) {
			t.Errorf("no alert for the alarm %s among %q", alarm[1], alerts)
		}
	}
}
