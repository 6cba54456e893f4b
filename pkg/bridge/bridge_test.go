package bridge_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/worker"
)

// outcomes records the outcomes of webhooks and messages.
type outcomes struct {
	ingested chan ingest.Outcome
	worked   chan worker.Outcome
}

type ingested chan ingest.Outcome

func (c ingested) Report(_ context.Context, o ingest.Outcome) { c <- o }

type worked chan worker.Outcome

func (c worked) Report(_ context.Context, o worker.Outcome) { c <- o }

const routes = `routes: [{match: {event: feedback}, project: DEMO, source: testfairy, fields: {summary: "{{ .text }}"}}]
`

func config(t *testing.T, yaml string) (bridge.Config, outcomes) {
	t.Helper()
	m, err := mapping.Load(write(t, "fairbridge.yaml", yaml))
	if err != nil {
		t.Fatal(err)
	}
	reports := outcomes{make(chan ingest.Outcome, 10), make(chan worker.Outcome, 10)}
	return bridge.Config{
		Mapping: m, Folder: t.TempDir(), Listen: "127.0.0.1:0", Simulator: "127.0.0.1:0", Concurrency: 1,
		Ingested: ingested(reports.ingested), Worked: worked(reports.worked), Log: slog.New(slog.DiscardHandler),
	}, reports
}

func open(t *testing.T, c bridge.Config) *bridge.Bridge {
	t.Helper()
	b, err := bridge.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestServe(t *testing.T) {
	c, reports := config(t, routes)
	b := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()

	if b.Simulator() == "" {
		t.Error("no simulator is running")
	}
	if status, _, err := home.Send(ctx, b.Webhook(), []byte(`{"event":"feedback","text":"a"}`)); err != nil || status != http.StatusAccepted {
		t.Errorf("got %d, %v", status, err)
	}
	if o := <-reports.ingested; o.Result != ingest.Accepted {
		t.Errorf("got %+v", o)
	}
	if o := <-reports.worked; o.Result != worker.Created || o.TicketID == "" {
		t.Errorf("got %+v", o)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestLimits checks that an idle connection is closed on time, and that the limits of
// concurrency are reported.
func TestLimits(t *testing.T) {
	c, _ := config(t, routes)
	c.Idle, c.Uploads, c.Concurrency = 50*time.Millisecond, 3, 2
	b := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	if deliveries, uploads := b.AtOnce(); deliveries != 20 || uploads != 3 {
		t.Errorf("%d deliveries and %d uploads at once", deliveries, uploads)
	}
	address, err := url.Parse(b.Webhook())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// The default would keep the connection for a minute.
	if err := conn.SetReadDeadline(time.Now().Add(embedded.DefaultIdle / 2)); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 200") {
		t.Errorf("got %q, %v", all, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestRunningIsRecorded(t *testing.T) {
	c, _ := config(t, routes)
	b, err := bridge.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := home.ListenAddress(c.Folder); err != nil {
		t.Error(err)
	}
	// A second bridge is refused, and leaves the first one's recorded address alone.
	if _, err := bridge.Open(t.Context(), c); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if _, err := home.ListenAddress(c.Folder); err != nil {
		t.Error(err)
	}
	webhook := b.Webhook()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := home.ListenAddress(c.Folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if again := open(t, c).Webhook(); tokenOf(t, again) != tokenOf(t, webhook) {
		t.Error("the token has changed")
	}
}

func tokenOf(t *testing.T, webhook string) string {
	t.Helper()
	u, err := home.ParseWebhook(webhook)
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("no token in %v", err)
	}
	return u.Query().Get("token")
}

// TestLostFileEndsTheBridge checks that the error names the lost file, whoever meets it first
// and with whatever error.
func TestLostFileEndsTheBridge(t *testing.T) {
	c, _ := config(t, routes)
	b := open(t, c)
	file := filepath.Join(c.Folder, "fairbridge.db")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(t.Context()); !errors.Is(err, sqlitedb.ErrGone) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a reader has created the file again: %v", err)
	}
}

func TestWhatKeepsABridgeFromStarting(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name, yaml string
		change     func(*bridge.Config)
		is         func(error) bool
	}{
		{"the webhook's address is taken", routes, func(c *bridge.Config) { c.Listen = taken.Addr().String() }, func(err error) bool {
			where, ok := errors.AsType[*bridge.ListenError](err)
			return ok && where.For == bridge.ForWebhooks
		}},
		{"the simulator's address is taken", routes, func(c *bridge.Config) { c.Simulator = taken.Addr().String() }, func(err error) bool {
			where, ok := errors.AsType[*bridge.ListenError](err)
			return ok && where.For == bridge.ForSimulator
		}},
		{"the address for metrics is taken", routes, func(c *bridge.Config) { c.Metrics = taken.Addr().String() }, func(err error) bool {
			where, ok := errors.AsType[*bridge.ListenError](err)
			return ok && where.For == bridge.ForMetrics
		}},
		{"no key", "centercode: {baseUrl: https://centercode.invalid}\n" + routes, func(*bridge.Config) {}, func(err error) bool {
			return errors.Is(err, secrets.ErrNotFound)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := config(t, test.yaml)
			test.change(&c)
			if _, err := bridge.Open(t.Context(), c); !test.is(err) {
				t.Errorf("got %v", err)
			}
			// Everything that the failed start acquired has been released.
			again, _ := config(t, routes)
			again.Folder = c.Folder
			open(t, again)
		})
	}
}
