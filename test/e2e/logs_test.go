//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/secrets"
)

// TestLogs brings webhooks to every kind of end, and reads what the functions have logged
// since the deploy: each outcome is a line with the delivery's id, and no tester's text and
// no secret appears anywhere.
func TestLogs(t *testing.T) {
	private := map[string]any{"text": "canary-text " + t.Name(), "email": "canary-tester@example.com"}
	ticket := bridge.accept(t, bridge.feedback(t, private))
	private["appName"], private["severity"] = "Severe", "canary-severity"
	rejected := bridge.accept(t, bridge.feedback(t, private))
	private["appName"] = "Demo App 2"
	again := bridge.feedback(t, private)
	retried := deliveryID(t, again)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(retried), Status: http.StatusInternalServerError})
	bridge.accept(t, again)
	for target, status := range map[string]int{ingest.Path + "?token=canary-wrong-token": 401, bridge.webhook(t): 400} {
		got, err := bridge.request(t.Context(), http.MethodPost, target, "application/json", append(bridge.feedback(t, private), "}"...))
		if err != nil || got.status != status {
			t.Fatalf("answered %d, want %d, %v", got.status, status, err)
		}
	}
	bridge.ticket(t, ticket)
	bridge.ticket(t, retried)
	bridge.letter(t, rejected)
	bridge.mustRun(t, "", "dlq", "drop", rejected, "--stack", stackName, "--because", "a test", "--yes")

	wanted := map[string][]string{
		"ingest": {ticket + " accepted", rejected + " accepted", retried + " accepted", " rejected"},
		"worker": {ticket + " created", rejected + " dead_letter", retried + " retry", retried + " created"},
	}
	for function, ends := range wanted {
		var logged []string
		eventually(t, function+" has logged all ends", func() bool {
			logged = bridge.logs(t, "/aws/lambda/"+stackName+"-"+function)
			have := outcomes(t, logged)
			return !slices.ContainsFunc(ends, func(end string) bool { return !slices.Contains(have, end) })
		})
		all := strings.Join(logged, "\n")
		if at := strings.Index(all, "canary"); at >= 0 {
			t.Errorf("%s logged ...%s", function, all[max(0, at-200):min(len(all), at+100)])
		}
		bridge.checkNoSecret(t, "the log of "+function, all)
	}
}

// logs returns the lines of a log group.
func (w *world) logs(t *testing.T, group string) (lines []string) {
	t.Helper()
	var out struct{ Events []struct{ Message string } }
	if err := w.aws(t.Context(), &out, "logs", "filter-log-events", "--log-group-name", group); err != nil {
		t.Fatal(err)
	}
	for _, event := range out.Events {
		lines = append(lines, event.Message)
	}
	return lines
}

// outcomes returns the delivery ids and decisions of the lines that are JSON. The
// platform's own lines are not.
func outcomes(t *testing.T, lines []string) (ends []string) {
	t.Helper()
	for _, text := range lines {
		if !strings.HasPrefix(text, "{") {
			continue
		}
		var line struct {
			Level, Timestamp, Message, Service string
			RequestID                          string `json:"function_request_id"`
			CorrelationID                      string `json:"correlation_id"`
			Decision                           string
			AWS                                json.RawMessage `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line.Level == "" || line.Timestamp == "" || line.Message == "" || !strings.HasPrefix(line.Service, stackName) {
			t.Errorf("not as a line must be: %s", text)
		}
		if line.Decision != "" {
			ends = append(ends, line.CorrelationID+" "+line.Decision)
			if line.RequestID == "" || line.AWS == nil {
				t.Errorf("an outcome without its request or its metrics: %s", text)
			}
		}
	}
	return ends
}

// checkNoSecret looks for the secrets in a text that others may see.
func (w *world) checkNoSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range append(secrets.Tokens(w.parameter(t, secrets.WebhookToken)), firstKey, secondKey, testFairyKey) {
		if strings.Contains(text, secret) {
			t.Errorf("%s has a secret in it", where)
		}
	}
}
