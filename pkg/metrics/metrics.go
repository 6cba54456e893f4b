// Package metrics exports the metrics of a bridge on one machine to Prometheus: those of
// package telemetry, and gauges that are read from the data folder.
package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/version"
	"fairbridge/pkg/worker"
)

// scrapeTimeout limits one scrape; Prometheus waits for 10 s.
const scrapeTimeout = 9 * time.Second

// The values of the label service. On CloudWatch they are the functions' names.
const (
	ofIngest = "ingest"
	ofWorker = "worker"
)

// counted are the metrics of package telemetry that are exported as counters.
var counted = []struct {
	name, help string
	services   []string
}{
	{telemetry.Received, "Requests to the webhook's address.", []string{ofIngest}},
	{telemetry.Ignored, "Events that no route wants, or that a route ignores.", []string{ofIngest, ofWorker}},
	{telemetry.Rejected, "Requests that were answered 4xx.", []string{ofIngest}},
	{telemetry.WrongToken, "Requests with a wrong token: TestFairy may have an old one.", []string{ofIngest}},
	{telemetry.Lost, "Webhooks with the right token that were refused.", []string{ofIngest}},
	{telemetry.Failed, "Requests that were answered 5xx.", []string{ofIngest}},
	{telemetry.TicketsCreated, "Tickets that were made.", []string{ofWorker}},
	{telemetry.Duplicates, "Deliveries that were done before.", []string{ofWorker}},
	{telemetry.Retries, "Attempts that failed and are repeated.", []string{ofWorker}},
	{telemetry.HandedOver, "Deliveries whose files go on from the files queue.", []string{ofWorker}},
	{telemetry.HandedBack, "Deliveries that were handed back to the queue unfinished.", []string{ofWorker}},
	{telemetry.Attachments, "Files that were uploaded.", []string{ofWorker}},
	{telemetry.AttachmentBytes, "Bytes of the files that were uploaded.", []string{ofWorker}},
	{telemetry.OptionalAttachmentsSkipped, "Optional files that were left out.", []string{ofWorker}},
}

// buckets are the bounds of the time from webhook to ticket, in seconds: from an idle
// bridge to a Centercode outage of three days.
var buckets = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 72 * 3600}

// Config configures [New].
type Config struct {
	// Home is the bridge's home, which must be a folder.
	Home *home.Home
	// Log receives failed scrapes.
	Log *slog.Logger
	// Now returns the current time; nil means time.Now.
	Now func() time.Time
}

// Metrics counts the outcomes that are reported to it and serves them as /metrics.
type Metrics struct {
	config   Config
	registry *prometheus.Registry
	counters map[string]*prometheus.CounterVec
	dead     *prometheus.CounterVec
	refused  *prometheus.CounterVec
	toTicket prometheus.Histogram
}

// New returns metrics that start at zero. Every series exists from the start, so that the
// first dead letter of a reason is an increase.
func New(c Config) (*Metrics, error) {
	if c.Home == nil || c.Home.OnAWS() || c.Log == nil {
		return nil, errors.New("metrics: Home, of a folder, and Log must be set")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &Metrics{config: c, registry: prometheus.NewRegistry(), counters: map[string]*prometheus.CounterVec{}}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: counterName(name), Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	for _, metric := range counted {
		v := vec(metric.name, metric.help, telemetry.Service)
		for _, service := range metric.services {
			v.WithLabelValues(service)
		}
		m.counters[metric.name] = v
	}
	m.dead = vec(telemetry.DeadLetters, "Deliveries that became dead letters.", "reason")
	for _, reason := range queue.Reasons() {
		m.dead.WithLabelValues(string(reason))
	}
	m.refused = vec("RefusedWebhooks", "Requests that were refused, by the reason that 'fairbridge status --refused' shows.", "reason")
	for _, reason := range ingest.RefusalReasons() {
		m.refused.WithLabelValues(string(reason))
	}
	m.toTicket = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: snake(telemetry.WebhookToTicket) + "_seconds", Help: "Time from a webhook to its ticket.", Buckets: buckets})
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: snake("BuildInfo"), Help: "1; the labels say which version runs.",
		ConstLabels: prometheus.Labels{"version": version.Number, "commit": version.Commit()}})
	info.Set(1)
	m.registry.MustRegister(m.toTicket, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, nil
}

// snake returns a metric's name in Prometheus's form: TicketsCreated becomes
// fairbridge_tickets_created.
func snake(name string) string {
	var b strings.Builder
	b.WriteString("fairbridge")
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// counterName returns the name of a counter, which ends in _total. See
// https://prometheus.io/docs/practices/naming/
func counterName(name string) string { return snake(name) + "_total" }

// Ingested returns a reporter that counts each outcome and passes it to next.
func (m *Metrics) Ingested(next ingest.Reporter) ingest.Reporter { return ingested{m, next} }

// Worked returns a reporter that counts each outcome and passes it to next.
func (m *Metrics) Worked(next worker.Reporter) worker.Reporter { return worked{m, next} }

type ingested struct {
	*Metrics
	next ingest.Reporter
}

// Report implements [ingest.Reporter].
func (i ingested) Report(ctx context.Context, o ingest.Outcome) {
	i.ingest(o)
	i.next.Report(ctx, o)
}

type worked struct {
	*Metrics
	next worker.Reporter
}

// Report implements [worker.Reporter].
func (w worked) Report(ctx context.Context, o worker.Outcome) {
	w.add(ofWorker, string(o.Reason), telemetry.OfWorker(o))
	w.next.Report(ctx, o)
}

// Refused counts a request that the listener refused before it reached the handler.
func (m *Metrics) Refused(r ingest.Refusal) {
	o := ingest.Outcome{Result: ingest.Rejected, Status: r.Status, Reason: r.Reason}
	if r.Status >= http.StatusInternalServerError {
		o.Result = ingest.Failed
	}
	m.ingest(o)
}

func (m *Metrics) ingest(o ingest.Outcome) {
	m.add(ofIngest, string(o.Reason), telemetry.OfIngest(o))
	if _, refused := o.Refusal(time.Time{}); refused {
		m.refused.WithLabelValues(string(o.Reason)).Inc()
	}
}

// add counts an outcome. States that last, such as an open breaker, are read from the
// folder at each scrape instead.
func (m *Metrics) add(service, reason string, values []telemetry.Metric) {
	for _, v := range values {
		switch v.Name {
		case telemetry.WebhookToTicket:
			m.toTicket.Observe((time.Duration(v.Value) * time.Millisecond).Seconds())
		case telemetry.DeadLetters:
			m.dead.WithLabelValues(reason).Inc()
		default:
			if counter := m.counters[v.Name]; counter != nil {
				counter.WithLabelValues(service).Add(float64(v.Value))
			}
		}
	}
}

// ServeHTTP implements [http.Handler]. If the folder cannot be read, it responds with 500
// and the scrape fails: missing series would not fire any alert.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	known := prometheus.NewRegistry()
	known.MustRegister(folder{ctx, m.config})
	promhttp.HandlerFor(prometheus.Gatherers{m.registry, known}, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.config.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.HTTPErrorOnError,
	}).ServeHTTP(w, r)
}

// NewServer returns the HTTP server for the metrics.
func NewServer(m *Metrics) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m)
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 2 * scrapeTimeout,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(m.config.Log.Handler(), slog.LevelWarn),
	}
}
