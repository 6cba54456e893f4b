package metrics_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/metrics"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/worker"
)

// now is an hour later than the times that the tests record.
func now() time.Time { return time.Now().Add(time.Hour) }

func newMetrics(t *testing.T) (*home.Home, *metrics.Metrics, *bytes.Buffer) {
	t.Helper()
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: t.TempDir()}, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	var log bytes.Buffer
	m, err := metrics.New(metrics.Config{Home: h, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return h, m, &log
}

func get(t *testing.T, m *metrics.Metrics, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.NewServer(m).Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Code, w.Body.String()
}

type nobody struct{}

func (nobody) Report(context.Context, ingest.Outcome) {}

type noWorker struct{}

func (noWorker) Report(context.Context, worker.Outcome) {}

// TestEveryMetricIsShown checks that every metric of package telemetry is exported under
// its name, for every outcome.
func TestEveryMetricIsShown(t *testing.T) {
	_, m, _ := newMetrics(t)
	lasting := breaker.Hold{Open: true, KeyRefused: true, Paused: true, Since: time.Now()}
	var names []string
	for _, result := range []worker.Result{worker.Created, worker.Duplicate, worker.Ignored, worker.Retry, worker.Dead, worker.HandedOver, worker.HandedBack, worker.Held} {
		o := worker.Outcome{Result: result, Reason: queue.ReasonMapping, Age: time.Minute, Attachments: 2, AttachmentBytes: 3, Skipped: []string{"x"},
			Hold: lasting, Receipts: map[string]string{"1": "a"}}
		m.Worked(noWorker{}).Report(t.Context(), o)
		for _, v := range telemetry.OfWorker(o) {
			names = append(names, v.Name)
		}
	}
	for _, o := range []ingest.Outcome{
		{Result: ingest.Accepted}, {Result: ingest.Ignored}, {Result: ingest.Rejected, Reason: ingest.ReasonWrongToken},
		{Result: ingest.Rejected, Reason: ingest.ReasonTooDeep}, {Result: ingest.Failed, Reason: ingest.ReasonNotQueued},
	} {
		m.Ingested(nobody{}).Report(t.Context(), o)
		for _, v := range telemetry.OfIngest(o) {
			names = append(names, v.Name)
		}
	}
	m.Refused(ingest.Refusal{Status: http.StatusServiceUnavailable, Reason: ingest.ReasonTooBusy})
	m.Refused(ingest.Refusal{Status: http.StatusBadRequest, Reason: ingest.ReasonBodyCutOff})
	_, text := get(t, m, http.MethodGet, "/metrics")
	plain := strings.ToLower(strings.ReplaceAll(text, "_", ""))
	for _, name := range names {
		if !strings.Contains(plain, "fairbridge"+strings.ToLower(name)) {
			t.Errorf("%s is not exported", name)
		}
	}
	for _, line := range []string{
		`fairbridge_received_total{service="ingest"} 7`, `fairbridge_failed_total{service="ingest"} 2`, `fairbridge_lost_total{service="ingest"} 2`,
		`fairbridge_refused_webhooks_total{reason="too_busy"} 1`, `fairbridge_ignored_total{service="worker"} 1`, `fairbridge_ignored_total{service="ingest"} 1`,
		`fairbridge_dead_letters_total{reason="mapping"} 1`, `fairbridge_attachment_bytes_total{service="worker"} 24`, `fairbridge_webhook_to_ticket_seconds_sum 60`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing:\n%s", line, text)
		}
	}
	for path, want := range map[string]int{"GET /": 404, "GET /metrics/": 404, "GET /debug/pprof/": 404, "POST /metrics": 405} {
		method, path, _ := strings.Cut(path, " ")
		if code, _ := get(t, m, method, path); code != want {
			t.Errorf("%s %s: HTTP %d", method, path, code)
		}
	}
}

// TestBreakerIsShown checks the metrics of an outage: how long a project has been
// unavailable or paused, and whether the key is refused.
func TestBreakerIsShown(t *testing.T) {
	h, m, _ := newMetrics(t)
	b, err := breaker.New(breaker.Config{Store: h.Ledger, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		pass, _, err := b.Ask(t.Context(), breaker.Subject{Project: "AWAY", Delivery: fmt.Sprint(n)})
		if err == nil {
			err = pass.Unwell(t.Context(), breaker.Fault{Status: http.StatusUnauthorized})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, hold, err := b.Ask(t.Context(), breaker.Subject{Project: "AWAY", Delivery: "6"}); err != nil || !hold.Open {
		t.Fatalf("the breaker is not open: %+v, %v", hold, err)
	}
	if _, err := b.Pause(t.Context(), "HELD", breaker.Pause{Why: "a test", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, text := get(t, m, http.MethodGet, "/metrics")
	for _, line := range []string{
		`fairbridge_breaker_open_seconds{project="AWAY"} 3`, `fairbridge_key_refused{project="AWAY"} 1`, `fairbridge_paused_seconds{project="AWAY"} 0`,
		`fairbridge_breaker_open_seconds{project="HELD"} 0`, `fairbridge_key_refused{project="HELD"} 0`, `fairbridge_paused_seconds{project="HELD"} 3`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("%s... is missing:\n%s", line, text)
		}
	}
}

// TestAFolderThatCannotBeRead checks that a scrape fails without the folder's metrics, so
// that Prometheus reports the bridge as down; missing metrics would raise no alert.
func TestAFolderThatCannotBeRead(t *testing.T) {
	h, m, log := newMetrics(t)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, m, http.MethodGet, "/metrics"); code != http.StatusInternalServerError || log.Len() == 0 {
		t.Errorf("HTTP %d, logged %q", code, log)
	}
}
