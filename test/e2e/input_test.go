//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// TestRefused sends what must not be accepted to the deployed API.
func TestRefused(t *testing.T) {
	right := bridge.webhook(t)
	_, query, _ := strings.Cut(right, "?")
	long := bridge.feedback(t, map[string]any{"text": strings.Repeat("x", ingest.MaxPayloadBytes)})
	tests := []struct {
		name        string
		method      string // POST if empty
		target      string // the webhook with its token if empty
		contentType string // application/json if empty
		body        []byte
		status      int
	}{
		{name: "no token", target: ingest.Path, status: 401},
		{name: "wrong token", target: ingest.Path + "?token=wrong", status: 401},
		{name: "two tokens", target: right + "&token=wrong", status: 401},
		{name: "empty token", target: ingest.Path + "?token=", status: 401},
		{name: "not JSON", body: []byte(`text=Hello`), status: 400},
		{name: "not JSON, binary", contentType: "application/octet-stream", body: []byte{0xff, 0x00, 0xfe}, status: 400},
		{name: "nothing", body: []byte{}, status: 400},
		{name: "a form", contentType: "application/x-www-form-urlencoded", body: []byte(`event=feedback&text=Hello`), status: 400},
		{name: "two objects", body: append(bridge.feedback(t, nil), "{}"...), status: 400},
		{name: "an array", body: bridge.payload(t, "invalid/not-an-object.json"), status: 400},
		{name: "nested too deep", body: bridge.payload(t, "invalid/nested-too-deep.json"), status: 400},
		{name: "too long", body: long, status: 413},
		{name: "too long, binary", contentType: "application/octet-stream", body: long, status: 413},
		{name: "GET", method: http.MethodGet, status: 405},
		{name: "PUT", method: http.MethodPut, status: 405},
		{name: "DELETE without a token", method: http.MethodDelete, target: ingest.Path, status: 405},
		{name: "another path", target: "/webhooks/other?" + query, status: 404},
		{name: "no path", target: "/", status: 404},
		{name: "a path below", target: ingest.Path + "/more?" + query, status: 404},
		{name: "another path and method", method: http.MethodGet, target: "/favicon.ico", status: 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.target == "" {
				test.target = right
			}
			if test.contentType == "" {
				test.contentType = "application/json"
			}
			if test.body == nil {
				test.body = bridge.feedback(t, nil)
			}
			got, err := bridge.request(t.Context(), test.method, test.target, test.contentType, test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != test.status {
				t.Errorf("answered %d, want %d: %s", got.status, test.status, got.body)
			}
			if want := map[int]string{405: http.MethodPost}[test.status]; got.header.Get("Allow") != want {
				t.Errorf("Allow: %q, want %q", got.header.Get("Allow"), want)
			}
			checkProblem(t, got)
			// None of it reached the ledger.
			if event, err := testfairy.Decode(test.body); err == nil && bridge.entry(t, event.DeliveryID()).State != "" {
				t.Error("the ledger knows of it")
			}
		})
	}
}

// checkProblem checks that an answer follows RFC 9457.
func checkProblem(t *testing.T, got answer) {
	t.Helper()
	var problem struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(got.body, &problem); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	if got.header.Get("Content-Type") != "application/problem+json" || problem.Status != got.status ||
		problem.Title != http.StatusText(got.status) || problem.Detail == "" {
		t.Errorf("not a problem document: %s %s", got.header.Get("Content-Type"), got.body)
	}
}

// TestOdd sends payloads that differ from TestFairy's documentation: they are accepted, the
// oddities are named, and the ledger records them.
func TestOdd(t *testing.T) {
	for name, fields := range map[string][]string{
		"odd/nothing-said.json":        {"text"},
		"odd/icon-url-bad-escape.json": {"iconUrl"},
		"odd/capitals.json":            nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bridge.request(t.Context(), http.MethodPost, bridge.webhook(t), "application/json", bridge.payload(t, name))
			if err != nil || got.status != http.StatusAccepted {
				t.Fatalf("answered %d, %v: %s", got.status, err, got.body)
			}
			var receipt struct {
				DeliveryID string
				Warnings   []struct{ Pointer string }
			}
			if err := json.Unmarshal(got.body, &receipt); err != nil {
				t.Fatalf("%v: %s", err, got.body)
			}
			var named []string
			for _, w := range receipt.Warnings {
				named = append(named, strings.TrimPrefix(w.Pointer, "#/"))
			}
			slices.Sort(named)
			if !slices.Equal(named, fields) {
				t.Errorf("names the fields %q, want %q", named, fields)
			}
			eventually(t, "the ledger knows of it", func() bool { return bridge.entry(t, receipt.DeliveryID).State != "" })
		})
	}
}

// TestNoHintWhich: a missing token is answered like a wrong one.
func TestNoHintWhich(t *testing.T) {
	var answers []answer
	for _, target := range []string{ingest.Path, ingest.Path + "?token=wrong"} {
		got, err := bridge.request(t.Context(), http.MethodPost, target, "application/json", bridge.feedback(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, got)
	}
	for _, header := range []http.Header{answers[0].header, answers[1].header} {
		maps.DeleteFunc(header, func(name string, _ []string) bool { return name == "Date" || strings.Contains(name, "Request") })
	}
	if string(answers[0].body) != string(answers[1].body) || !maps.EqualFunc(answers[0].header, answers[1].header, slices.Equal) {
		t.Errorf("without a token\n%v %s\nwith a wrong one\n%v %s", answers[0].header, answers[0].body, answers[1].header, answers[1].body)
	}
}

// TestForeignMessages: a message that somebody else put into the work queue becomes a dead
// letter, unchanged; the deliveries in the same batch continue.
func TestForeignMessages(t *testing.T) {
	foreign := []string{"hello", `{"version": 2}`, `{"version":1,"deliveryId":"x","receivedAt":"2026-01-15T09:30:00Z","event":[]}`}
	ours := bridge.feedback(t, nil)
	event, err := testfairy.Decode(ours)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := queue.Envelope{DeliveryID: event.DeliveryID(), ReceivedAt: time.Now(), Event: event.JSON}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var entries []types.SendMessageBatchRequestEntry
	for i, body := range append(foreign, envelope) {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(string(rune('a' + i))), MessageBody: aws.String(body)})
	}
	out, err := bridge.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &bridge.stack.WorkQueueURL, Entries: entries})
	if err != nil || len(out.Failed) > 0 {
		t.Fatal(err, out)
	}
	bridge.checkTicket(t, event)
	for _, body := range foreign {
		var letter types.Message
		eventually(t, body+" is a dead letter", func() (found bool) {
			letter, found = bridge.find(t, bridge.stack.DeadLetterQueueURL, func(m types.Message) bool { return aws.ToString(m.Body) == body })
			return found
		})
		if got := queue.ParseDeadLetter(letter.MessageAttributes); got.Reason != queue.ReasonMalformed || got.Stage != "decode" || got.Description == "" {
			t.Errorf("%s: %+v", body, got)
		}
		bridge.mustRun(t, "", "dlq", "drop", queue.DeliveryID(body), "--because", "a test", "--stack", stackName, "--yes")
	}
}
