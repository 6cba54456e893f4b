package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/home"
	"fairbridge/pkg/home/report"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
)

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := func(c string) string { return strings.Repeat(c, 64) }
	full := home.Status{
		Stack: "fairbridge-prod", Webhook: "https://abc.example.com/webhooks/testfairy", Dashboard: "https://console.example.com/",
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
work queue          3 waiting, 2 in flight, 1 delayed, the oldest from 1h ago
dead letters        2
Centercode          https://beta.example.com answers (HTTP 200, 87 ms)
centercode-api-key  since 2026-01-02 03:04:05 UTC (version 2)
testfairy-api-key   missing (only needed for session logs, webhook and reconcile)
webhook-token       missing
dashboard           https://console.example.com/

AGE  STATE      TICKET  ATTEMPTS  DELIVERY      LAST ERROR
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
mapping       cccccccccccc, since 2026-01-02 03:04:05 UTC, /a/fairbridge.yaml, which differs
work queue    0 waiting, 0 in flight, 0 delayed
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
		if err := report.WriteStatus(&out, &test.s, now); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%d: got\n%s\nwant\n%s", i, &out, test.want)
		}
	}
}

func TestWriteSecrets(t *testing.T) {
	states := []home.SecretState{
		{Name: "a", Exists: true, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: 3},
		{Name: "longer"},
		{Name: "c", Exists: true, Variable: "FAIRBRIDGE_C"},
	}
	var text, lines bytes.Buffer
	if err := report.WriteSecrets(&text, states); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&lines).Encode(states); err != nil {
		t.Fatal(err)
	}
	if want := `a       since 2026-01-02 03:04:05 UTC (version 3)
longer  missing
c       in the environment variable FAIRBRIDGE_C
`; text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
	if want := `[{"name":"a","exists":true,"since":"2026-01-02T03:04:05Z","version":3},{"name":"longer","exists":false},{"name":"c","exists":true,"environmentVariable":"FAIRBRIDGE_C"}]
`; lines.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &lines, want)
	}
}
