// Package functions_test builds both functions as for a deployment and drives the binaries
// as Lambda does, between simulated neighbours.
package functions_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/functions/lambdatest"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/queue"
)

func TestFunctions(t *testing.T) {
	ingest := lambdatest.Build(t, "fairbridge/functions/ingest")
	worker := lambdatest.Build(t, "fairbridge/functions/worker")
	t.Run("webhook to ticket", func(t *testing.T) { testWebhookToTicket(t, ingest, worker) })
	t.Run("partial batch", func(t *testing.T) { testPartialBatch(t, ingest, worker) })
	t.Run("rejected webhook", func(t *testing.T) { testRejectedWebhook(t, ingest) })
	t.Run("warm", func(t *testing.T) { testWarm(t, ingest, worker) })
	t.Run("init", func(t *testing.T) { testInit(t, ingest, worker) })
	t.Run("init without SSM", func(t *testing.T) { testInitWithoutSSM(t, ingest) })
}

func testWebhookToTicket(t *testing.T, ingestBinary, workerBinary string) {
	w := newWorld(t)
	ingest := lambdatest.Start(t, ingestBinary, w.env)
	worker := lambdatest.Start(t, workerBinary, w.env)
	payload, err := os.ReadFile("../events/feedback.json")
	if err != nil {
		t.Fatal(err)
	}

	res := webhook(t, ingest, payload)
	if res.StatusCode != 202 {
		t.Fatalf("answer %d %s\n%s", res.StatusCode, res.Body, ingest.Output())
	}
	received, failed := w.deliver(t, worker)
	if received != 1 || len(failed) != 0 {
		t.Fatalf("%d records, %v failed\n%s", received, failed, worker.Output())
	}

	tickets := w.centercode.Tickets()
	if len(tickets) != 1 || len(tickets[0].Files) != 1 {
		t.Fatalf("tickets %+v, want one with one file\n%s", tickets, worker.Output())
	}
	if got := tickets[0].Fields["summary"]; got != "App doesn't render nicely in landscape" {
		t.Errorf("summary %q", got)
	}
	const screenshot = "/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg"
	if got, want := tickets[0].Files[0].SHA256, w.testfairy.SHA256(screenshot); got != want || want == "" {
		t.Errorf("the attachment's SHA-256 is %s, the source's %s", got, want)
	}

	// A duplicate webhook creates nothing.
	if res := webhook(t, ingest, payload); res.StatusCode != 202 {
		t.Errorf("answer %d to a duplicate webhook", res.StatusCode)
	}
	if received, failed := w.deliver(t, worker); received != 1 || len(failed) != 0 || len(w.centercode.Tickets()) != 1 {
		t.Errorf("%d records, of which %v failed; %d tickets, want 1", received, failed, len(w.centercode.Tickets()))
	}

	checkOutput(t, ingest, "accepted", "accepted")
	checkOutput(t, worker, "created", "duplicate")
}

// testPartialBatch delivers a batch in which one record succeeds, two can never succeed,
// and one meets a transient fault and must be redelivered.
func testPartialBatch(t *testing.T, ingestBinary, workerBinary string) {
	w := newWorld(t)
	ingest := lambdatest.Start(t, ingestBinary, w.env)
	worker := lambdatest.Start(t, workerBinary, w.env)
	w.centercode.Inject(centercodesim.Fault{
		Op: centercodesim.OpCreate, Status: http.StatusInternalServerError,
		Match: func(c centercodesim.Call) bool { return c.Fields["summary"] == "in vain" },
	})
	for _, payload := range []string{
		`{"event":"feedback","text":"fine","email":"alice@corporation.com"}`,
		`{"event":"feedback","text":"in vain","email":"alice@corporation.com"}`,
		`{"event":"crash","crashMessage":"for a project that Centercode does not know","email":"alice@corporation.com"}`,
	} {
		if res := webhook(t, ingest, []byte(payload)); res.StatusCode != 202 {
			t.Fatalf("answer %d %s", res.StatusCode, res.Body)
		}
	}
	if _, err := w.queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(w.work), MessageBody: aws.String("not ours: alice@corporation.com")}); err != nil {
		t.Fatal(err)
	}

	received, failed := w.deliver(t, worker)
	if received != 4 || len(failed) != 1 {
		t.Errorf("%d records, %v failed; want 4 and 1\n%s", received, failed, worker.Output())
	}
	if tickets := w.centercode.Tickets(); len(tickets) != 1 {
		t.Errorf("tickets %+v, want one", tickets)
	}
	var reasons []string
	for _, letter := range w.deadLetters(t) {
		reasons = append(reasons, string(letter.Reason))
	}
	slices.Sort(reasons)
	if want := []string{string(queue.ReasonMalformed), string(queue.ReasonNotFound)}; !slices.Equal(reasons, want) {
		t.Errorf("dead letters %v, want %v", reasons, want)
	}
	checkOutput(t, worker, "created", "dead_letter", "dead_letter", "retry")
}

func testRejectedWebhook(t *testing.T, binary string) {
	w := newWorld(t)
	ingest := lambdatest.Start(t, binary, w.env)
	if res := webhook(t, ingest, []byte(`[{"event":"feedback","email":"alice@corporation.com"}]`)); res.StatusCode != 400 {
		t.Errorf("answer %d to an array", res.StatusCode)
	}
	var res events.APIGatewayV2HTTPResponse
	invoke(t, ingest, 10*time.Second, events.APIGatewayV2HTTPRequest{}, &res)
	if res.StatusCode != 404 {
		t.Errorf("answer %d to an empty event", res.StatusCode)
	}
	if messages := w.receive(t, w.work); len(messages) != 0 {
		t.Errorf("%d messages in the queue", len(messages))
	}
	checkOutput(t, ingest, "rejected", "rejected")
}

// testInit checks that a function which cannot start reports why and exits.
func testInit(t *testing.T, ingest, worker string) {
	tests := []struct{ name, binary, unset string }{
		{"ingest without its queue", ingest, "FAIRBRIDGE_QUEUE_URL"},
		{"ingest without a region", ingest, "AWS_REGION"},
		{"worker without its table", worker, "FAIRBRIDGE_LEDGER_TABLE"},
		{"worker without Centercode", worker, "FAIRBRIDGE_CENTERCODE_BASE_URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := newWorld(t).env
			env[tt.unset] = ""
			f := lambdatest.Start(t, tt.binary, env)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code, err := f.Wait(ctx); code != 1 || err != nil {
				t.Errorf("exit code %d, %v; want 1", code, err)
			}
			lines := logLines(t, f)
			if len(lines) != 1 || lines[0]["level"] != "ERROR" || !strings.Contains(lines[0]["err"].(string), tt.unset) {
				t.Errorf("log %v, want one error that names %s", lines, tt.unset)
			}
		})
	}
}

// testInitWithoutSSM checks that init survives a failure to prefetch the secret: the
// webhook gets a response that makes TestFairy retry it.
func testInitWithoutSSM(t *testing.T, binary string) {
	w := newWorld(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	w.env["AWS_ENDPOINT_URL_SSM"] = closed.URL
	ingest := lambdatest.Start(t, binary, w.env)
	if res := webhook(t, ingest, []byte(`{"event":"feedback","text":"a"}`)); res.StatusCode != 503 || res.Headers["Retry-After"] == "" {
		t.Errorf("answer %d %v\n%s", res.StatusCode, res.Headers, ingest.Output())
	}
	if messages := w.receive(t, w.work); len(messages) != 0 {
		t.Errorf("%d messages in the queue", len(messages))
	}
}

// logLines returns what the function printed, which must be JSON throughout.
func logLines(t *testing.T, f *lambdatest.Function) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(f.Output()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("output is not JSON: %v: %s", err, text)
		}
		lines = append(lines, line)
	}
	return lines
}

// checkOutput checks that the function logged these decisions, in any order, each with its
// metrics, and no secret or payload.
func checkOutput(t *testing.T, f *lambdatest.Function, want ...string) {
	t.Helper()
	var decisions []string
	for _, line := range logLines(t, f) {
		if decision, ok := line["decision"].(string); ok {
			decisions = append(decisions, decision)
		}
		for _, key := range []string{"level", "timestamp", "message", "service", "function_request_id", "_aws"} {
			if line[key] == nil {
				t.Errorf("no %s in %v", key, line)
			}
		}
	}
	slices.Sort(decisions)
	if !slices.Equal(decisions, want) {
		t.Errorf("decisions %v, want %v\n%s", decisions, want, f.Output())
	}
	for _, secret := range []string{webhookToken, apiKey, "corporation.com", "landscape", "in vain"} {
		if strings.Contains(f.Output(), secret) {
			t.Errorf("%q is in the output:\n%s", secret, f.Output())
		}
	}
}
