package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

const key = "k3y-that-nobody-may-see"

// world is a bridge in a folder, with a simulated Centercode, and a console that opens the
// folder as another process would.
type world struct {
	t      *testing.T
	folder string
	config string // fairbridge.yaml
	center *simulator.Simulator
	base   string // the URL of Centercode
	bridge *bridge.Bridge
	worked chan worker.Outcome
	stop   func() // stops the bridge

	home    *home.Home
	console *console.Console
	client  *http.Client
}

type quiet struct{}

func (quiet) Report(context.Context, ingest.Outcome) {}

type outcomes chan worker.Outcome

func (c outcomes) Report(_ context.Context, o worker.Outcome) {
	select {
	case c <- o:
	default: // no test waits for that many
	}
}

func newWorld(t *testing.T, c console.Config) *world {
	t.Helper()
	t.Parallel()
	return newWorldIn(t, t.TempDir(), c)
}

func newWorldIn(t *testing.T, folder string, c console.Config) *world {
	t.Helper()
	center, err := simulator.New(simulator.Config{APIKeys: []string{key}, Projects: map[string][]string{"DEMO": {"testfairy"}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(center.Handler())
	t.Cleanup(func() { center.Close(); server.Close() })
	w := &world{t: t, folder: folder, center: center, base: server.URL, config: filepath.Join(t.TempDir(), "fairbridge.yaml")}
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: w.folder}, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.PutSecret(t.Context(), secrets.CentercodeAPIKey, key), h.Close()); err != nil {
		t.Fatal(err)
	}
	w.writeConfig("DEMO")
	w.start()
	w.open(c)
	return w
}

// writeConfig writes a fairbridge.yaml with one route, to project.
func (w *world) writeConfig(project string) {
	w.t.Helper()
	yaml := fmt.Sprintf(`centercode: {baseUrl: %q, ticketUrl: "%s/tickets/{{ .ticketId }}"}
routes:
  - match: {event: feedback}
    project: %s
    source: testfairy
    fields: {submitter: "{{ .email }}", summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
`, w.base, w.base, project)
	if err := os.WriteFile(w.config, []byte(yaml), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// start starts the bridge.
func (w *world) start() {
	w.t.Helper()
	m, err := mapping.Load(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.worked = make(chan worker.Outcome, 1000)
	w.bridge, err = bridge.Open(w.t.Context(), bridge.Config{
		Mapping: m, File: w.config, Folder: w.folder, Listen: "127.0.0.1:0", Simulator: "127.0.0.1:0", Concurrency: 4,
		Ingested: quiet{}, Worked: outcomes(w.worked), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	served := make(chan error, 1)
	go func(b *bridge.Bridge) { served <- b.Serve(ctx) }(w.bridge)
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			w.t.Error(err)
		}
		if err := w.bridge.Close(); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(w.stop)
}

// open starts the console, and signs in through its link.
func (w *world) open(c console.Config) {
	w.t.Helper()
	var err error
	if w.home, err = home.Open(w.t.Context(), home.Config{Place: home.Place{Folder: w.folder}}); err != nil {
		w.t.Fatal(err)
	}
	c.Home, c.Config = w.home, w.config
	if w.console, err = console.Listen(w.t.Context(), "127.0.0.1:0", c); err != nil {
		w.t.Fatal(err)
	}
	serve(w.t, w.console)
	w.t.Cleanup(func() {
		if err := w.home.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.client = browser(w.t)
	if status, _, body := w.do(http.MethodGet, w.console.Link(), nil); status != http.StatusOK || strings.Contains(body, "let") {
		w.t.Fatalf("the link does not sign in: %d\n%s", status, body)
	}
}

// serve runs a console until the test ends.
func serve(t *testing.T, c *console.Console) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// browser returns a client that keeps cookies and does not follow redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// do requests a page, or posts a form, as a browser on the console's own page does.
func (w *world) do(method, address string, form url.Values) (status int, location, body string) {
	w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = w.console.URL() + address
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// page returns a page, which must exist.
func (w *world) page(path string) string {
	w.t.Helper()
	status, _, body := w.do(http.MethodGet, path, nil)
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d\n%s", path, status, body)
	}
	return body
}

// post posts a form, which must be accepted, and returns the redirect's target.
func (w *world) post(path string, form url.Values) string {
	w.t.Helper()
	status, location, body := w.do(http.MethodPost, path, form)
	if status != http.StatusSeeOther {
		w.t.Fatalf("%s: %d\n%s", path, status, body)
	}
	return location
}

// send sends feedback as TestFairy does, and returns its delivery id.
func (w *world) send(fields map[string]any) string {
	w.t.Helper()
	event := map[string]any{"event": "feedback", "appName": "Demo App", "version": "1.0", "email": "tester@example.com"}
	for name, value := range fields {
		event[name] = value
	}
	payload, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	status, answer, err := home.Send(w.t.Context(), w.bridge.Webhook(), payload)
	if err != nil || status != http.StatusAccepted {
		w.t.Fatalf("got %d %s, %v", status, answer, err)
	}
	var accepted struct{ DeliveryID string }
	if err := json.Unmarshal([]byte(answer), &accepted); err != nil {
		w.t.Fatal(err)
	}
	return accepted.DeliveryID
}

// hasTickets waits until there are n tickets. A fault that is injected afterwards cannot
// affect what was sent before.
func (w *world) hasTickets(n int) {
	w.t.Helper()
	w.until("/", func(string) bool { return len(w.center.Tickets()) == n })
}

// until waits until a page meets a condition, and returns it.
func (w *world) until(path string, ok func(body string) bool) string {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		status, _, body := w.do(http.MethodGet, path, nil)
		if status == http.StatusOK && ok(body) {
			return body
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not meet the condition:\n%s", path, body)
		}
		select {
		case <-w.worked:
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func has(texts ...string) func(string) bool {
	return func(body string) bool {
		for _, text := range texts {
			if !strings.Contains(body, text) {
				return false
			}
		}
		return true
	}
}

// refuse makes Centercode refuse tickets, as often as times.
func (w *world) refuse(status, times int) {
	w.center.Inject(simulator.Fault{Op: simulator.OpCreate, Status: status, Times: times})
}
