package previous_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
)

// TestStartAdopts: a bridge that starts in the earlier version's home records every dead
// letter there in the ledger, with its message. The result is the same if it starts again,
// or after one was killed at any of these writes.
func TestStartAdopts(t *testing.T) {
	config := startConfig(t)
	start(t, config)
	once := adopted(t, config.Folder)
	start(t, config)
	if again := adopted(t, config.Folder); fmt.Sprint(again) != fmt.Sprint(once) {
		t.Errorf("after a second start: %v, was %v", again, once)
	}

	for writes, whole := 0, false; !whole; writes++ {
		config.Folder = t.TempDir()
		load(t, filepath.Join(config.Folder, "fairbridge.db"))
		whole = dieAdopting(t, config.Folder, writes)
		start(t, config)
		adopted(t, config.Folder)
	}
}

// startConfig configures a bridge in a fresh copy of the earlier version's home.
func startConfig(t *testing.T) bridge.Config {
	t.Helper()
	text, err := os.ReadFile("testdata/fairbridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	routes, err := mapping.Parse("fairbridge.yaml", append([]byte("centercode: {baseUrl: https://beta.example.com}\n"), text...))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	load(t, filepath.Join(folder, "fairbridge.db"))
	return bridge.Config{
		Mapping: routes, Folder: folder, Listen: "127.0.0.1:0", Concurrency: 1, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Ingested: ingested{}, Worked: reporter{t},
	}
}

type ingested struct{}

func (ingested) Report(context.Context, ingest.Outcome) {}

// start opens a bridge up to the point where it would begin to work, and closes it.
func start(t *testing.T, c bridge.Config) {
	t.Helper()
	b, err := bridge.Open(t.Context(), c)
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// adopted compares the ledger's dead letters and their messages with the letters in the
// queue, and returns the versions of the entries.
func adopted(t *testing.T, folder string) map[string]int64 {
	t.Helper()
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: folder}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	letters := map[string]deadletter.Letter{}
	if err := deadletter.Glance(t.Context(), h, func(l deadletter.Letter) bool {
		letters[l.DeliveryID] = l
		return true
	}); err != nil {
		t.Fatal(err)
	}
	records, err := h.History.Noted(t.Context(), ledger.AttentionPerson)
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[string]ledger.Record{}
	for _, r := range records {
		waiting[r.ID] = r
	}
	kept := ledgertest.New(t, ledger.Config{Store: h.Ledger})
	versions := map[string]int64{}
	for _, d := range readDeliveries(t) {
		want := want(t, d.Name).letter
		if letters[d.ID].Reason != want {
			t.Errorf("%s: its letter has the reason %q, want %q", d.Name, letters[d.ID].Reason, want)
		}
		if want == "" {
			continue
		}
		var line queue.Line
		e, err := ledger.Read(waiting[d.ID])
		if err == nil {
			var text []byte
			text, err = kept.Letter(t.Context(), e)
			err = errors.Join(err, json.Unmarshal(text, &line))
		}
		if err != nil || line.Body != letters[d.ID].Body || e.Last == nil || e.Last.Reason != string(want) {
			t.Errorf("%s: %v, a message of %d bytes, and the last fault is %+v", d.Name, err, len(line.Body), e.Last)
		}
		versions[d.ID] = waiting[d.ID].Version
	}
	return versions
}

// want is what the test knows of a delivery.
func want(t *testing.T, name string) left {
	t.Helper()
	for _, d := range deliveries {
		if d.name == name {
			return d
		}
	}
	t.Fatalf("nobody knows the delivery %q", name)
	return left{}
}

// dieAdopting adopts the letters in a folder until it has made this number of writes. whole
// reports whether it finished.
func dieAdopting(t *testing.T, folder string, writes int) (whole bool) {
	t.Helper()
	e, err := embedded.Open(t.Context(), embedded.Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	ctx, die := context.WithCancel(t.Context())
	defer die()
	h := home.Folder(e)
	defer h.Close()
	h.Ledger = &mortal{Store: h.Ledger, left: writes, die: die}
	manager, err := deadletter.New(deadletter.Config{Home: h})
	if err != nil {
		t.Fatal(err)
	}
	n, err := manager.AdoptUnknown(ctx, func(deadletter.Letter, error) {})
	if err == nil && n == 0 {
		t.Error("there was nothing to adopt")
	}
	return err == nil
}

// mortal is a store whose process is killed before the first write beyond the allowed ones.
type mortal struct {
	ledger.Store
	mu   sync.Mutex
	left int
	die  func()
}

var errKilled = errors.New("killed")

func (m *mortal) write() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left < 0 {
		m.die()
		return errKilled
	}
	return nil
}

func (m *mortal) Put(ctx context.Context, r ledger.Record) error {
	if err := m.write(); err != nil {
		return err
	}
	return m.Store.Put(ctx, r)
}

func (m *mortal) Set(ctx context.Context, r ledger.Record) error {
	if err := m.write(); err != nil {
		return err
	}
	return m.Store.Set(ctx, r)
}
