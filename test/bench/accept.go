package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // for the floor: SQLite configured as in the embedded home

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
)

// accepting measures how many webhooks a second the embedded home answers with 202, each
// durable by then, while no worker runs.
var accepting = experiment{
	name: "embedded home, accepting",
	figures: []figure{
		{Key: "home.accept", What: "embedded home, webhooks accepted durably, 16 clients", Unit: "1/s", Floor: "a net/http server that decodes the JSON, one durable insert a request, one writer", Must: atLeastTimes(1.5)},
		{Key: "home.accept.disk", What: "the same beside what the processors can do", Unit: "1/s", Floor: "itself with its file in memory", Must: atLeastTimes(0.9)},
	},
	open: func(tb testing.TB, l *lab) round {
		config, err := mapping.Parse("fairbridge.yaml", l.read(tb, mappingFile))
		if err != nil {
			tb.Fatal(err)
		}
		return func(tb testing.TB) []sample {
			memory, err := os.MkdirTemp("/dev/shm", "bench-")
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { _ = os.RemoveAll(memory) })
			webhooks := []string{startInserting(tb), startHome(tb, config, memory), startHome(tb, config, tb.TempDir())}
			// Three turns of each, so that a slow moment of the disk affects all.
			const turns = 3
			each := l.scale.accepts / turns
			took := make([]time.Duration, len(webhooks))
			for range turns {
				for i, webhook := range webhooks {
					took[i] += send(tb, webhook, clients, l.feedbacks(tb, each))
				}
			}
			perSecond := func(i int) float64 { return float64(turns*each) / took[i].Seconds() }
			return []sample{{perSecond(2), perSecond(0)}, {perSecond(2), perSecond(1)}}
		}
	},
}

// newInsert returns a function that inserts a row durably, with a single writer and SQLite
// configured as in the embedded home.
func newInsert(tb testing.TB) func(ctx context.Context, body string) error {
	file, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = file.Close() })
	file.SetMaxOpenConns(1)
	if _, err := file.Exec("CREATE TABLE messages (id INTEGER PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
		tb.Fatal(err)
	}
	insert, err := file.Prepare("INSERT INTO messages (body) VALUES (?)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = insert.Close() })
	return func(ctx context.Context, body string) error {
		_, err := insert.ExecContext(ctx, body)
		return err
	}
}

// startInserting starts the floor of accepting, and returns its URL.
func startInserting(tb testing.TB) string {
	insert := newInsert(tb)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		var fields map[string]any
		if err == nil {
			err = json.Unmarshal(body, &fields)
		}
		if err == nil {
			err = insert(r.Context(), string(body))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// startHome starts the listener and the ingest of an embedded home in a folder, and returns
// the webhook's URL.
func startHome(tb testing.TB, config *mapping.Config, folder string) string {
	home := openHome(tb, folder)
	tb.Cleanup(func() { closeHome(tb, home) })
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(home.SSM)})
	if err != nil {
		tb.Fatal(err)
	}
	accept, err := ingest.New(ingest.Config{
		QueueURL: home.WorkQueueURL, Sender: home.SQS, Routes: config,
		Secrets: stored, Reporter: discard{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := embedded.NewListener(embedded.ListenerConfig{Handler: accept})
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(listener)
	tb.Cleanup(server.Close)
	return server.URL + ingest.Path + "?token=" + webhookToken
}

// homeEnvironment returns the secrets of an embedded home.
func homeEnvironment(name string) string {
	return map[string]string{
		"FAIRBRIDGE_WEBHOOK_TOKEN":      webhookToken,
		"FAIRBRIDGE_CENTERCODE_API_KEY": apiKey,
	}[name]
}

// discard is an [ingest.Reporter] that reports nothing.
type discard struct{}

// Report implements [ingest.Reporter].
func (discard) Report(context.Context, ingest.Outcome) {}
