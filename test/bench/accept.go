package main

import (
	"context"
	"database/sql"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the floor: SQLite as the embedded home has it, by hand

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
)

// accepting is how many webhooks the embedded home answers 202 in a second, each
// on disk by then, while nobody works on them.
var accepting = experiment{
	name: "embedded home, accepting",
	figures: []figure{
		{Key: "home.accept", What: "embedded home, webhooks accepted durably, 16 clients", Unit: "1/s", Floor: "SQLite's durable single-row inserts, one writer", Must: atLeastTimes(2)},
	},
	open: func(tb testing.TB, l *lab) round {
		config, err := mapping.Parse("fairbridge.yaml", l.read(tb, mappingFile))
		if err != nil {
			tb.Fatal(err)
		}
		return func(tb testing.TB) []sample {
			insert, webhook := startInserts(tb, l), startHome(tb, config)
			// Three turns of each, so that a slow moment of the disk hits both.
			const turns = 3
			each := l.scale.accepts / turns
			var floor, subject time.Duration
			for range turns {
				floor += insert(each)
				subject += send(tb, webhook, clients, l.feedbacks(tb, each))
			}
			perSecond := func(d time.Duration) float64 { return float64(turns*each) / d.Seconds() }
			return []sample{{perSecond(subject), perSecond(floor)}}
		}
	},
}

// startInserts returns a function that makes n durable inserts, one after the
// other, and returns how long they took. SQLite is set up as in the embedded
// home, and a row is as long as a message.
func startInserts(tb testing.TB, l *lab) func(n int) time.Duration {
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
	body := string(l.read(tb, "events/feedback.json"))
	return func(n int) time.Duration {
		began := time.Now()
		for range n {
			if _, err := insert.ExecContext(tb.Context(), body); err != nil {
				tb.Fatal(err)
			}
		}
		return time.Since(began)
	}
}

// startHome starts what takes the webhooks of an embedded home, and returns the
// webhook's URL.
func startHome(tb testing.TB, config *mapping.Config) string {
	home := openHome(tb, tb.TempDir())
	tb.Cleanup(func() { closeHome(tb, home) })
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(home.SSM)})
	if err != nil {
		tb.Fatal(err)
	}
	accept, err := ingest.New(ingest.Config{
		QueueURL: home.WorkQueueURL, Sender: home.SQS, Routes: config,
		Secrets: stored, Reporter: silent{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := embedded.NewListener(embedded.ListenerConfig{Handler: accept, Function: "ingest"})
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(listener)
	tb.Cleanup(server.Close)
	return server.URL + ingest.Path + "?token=" + webhookToken
}

// homeEnvironment holds the secrets of an embedded home.
func homeEnvironment(name string) string {
	return map[string]string{
		"FAIRBRIDGE_WEBHOOK_TOKEN":      webhookToken,
		"FAIRBRIDGE_CENTERCODE_API_KEY": apiKey,
	}[name]
}

// silent is an [ingest.Reporter].
type silent struct{}

// Report implements [ingest.Reporter].
func (silent) Report(context.Context, ingest.Outcome) {}
