package home_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue"
)

// TestStatusOfStores checks which contents of a folder's stores are problems. A dead
// delivery has its letter, was replayed, or has lost its letter; a completed one has a
// ticket with an id or without, or was ignored.
func TestStatusOfStores(t *testing.T) {
	folder := t.TempDir()
	h := open(t, folder)
	long := time.Now().Add(-time.Hour)
	store := ledgertest.New(t, ledger.Config{Store: h.Ledger, Now: func() time.Time { return long }})
	idOf := queue.DeliveryID // the body is only a name
	send := func(url, name string) {
		t.Helper()
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(url), Entries: []types.SendMessageBatchRequestEntry{{
			Id: aws.String("0"), MessageBody: &name,
		}}}
		if out, err := h.SQS.SendMessageBatch(t.Context(), in); err != nil || len(out.Failed) > 0 {
			t.Fatal(err)
		}
	}
	claim := func(name string, then ...func(*ledger.Claim) error) {
		t.Helper()
		c, err := store.Claim(t.Context(), idOf(name), ledger.Message{})
		for _, f := range then {
			if err == nil {
				err = f(c)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	creating := func(c *ledger.Claim) error { return c.Creating(t.Context(), ledger.Where{Project: "P"}) }
	named := func(c *ledger.Claim) error { return c.CreatedAndCompleted(t.Context(), "7") }
	nameless := func(c *ledger.Claim) error { return c.CreatedAndCompleted(t.Context(), "") }
	ignored := func(c *ledger.Claim) error { return c.Completed(t.Context()) }
	died := func(c *ledger.Claim) error { return c.Died(t.Context(), ledger.Fault{Reason: "rejected"}, true) }

	claim("named", creating, named)
	claim("ignored", ignored)
	bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = w.Write([]byte("ok\n"))
		}
	}))
	t.Cleanup(bridge.Close)
	if err := home.WriteRunning(folder, strings.TrimPrefix(bridge.URL, "http://")); err != nil {
		t.Fatal(err)
	}
	want := func(problems ...string) {
		t.Helper()
		s := open(t, folder).Status(t.Context(), home.StatusOptions{Config: "none.yaml"})
		if !slices.Equal(s.Problems, problems) {
			t.Errorf("problems are\n%s\nwant\n%s", strings.Join(s.Problems, "\n"), strings.Join(problems, "\n"))
		}
	}
	want()
	claim("nameless", creating, nameless)
	claim("dead", died)
	claim("replayed", died)
	claim("lost", died)
	send(h.DeadLetterQueueURL, "dead")
	send(h.WorkQueueURL, "replayed")
	want("2 dead letters: "+h.Command("dlq list"),
		"1 delivery is dead without a letter in the dead-letter queue: "+idOf("lost")[:12]+"; somebody has deleted it, or it has expired, and the ledger has its message: "+h.Command("show "+idOf("lost")[:12]),
		"1 ticket without an id in the last 24 hours, of "+idOf("nameless")[:12]+": Centercode's answer did not contain it; with a lookup in the route it is found automatically")

	// Another program listens on the address by now.
	bridge.Config.Handler = http.NotFoundHandler()
	s := open(t, folder).Status(t.Context(), home.StatusOptions{Config: "none.yaml"})
	if s.Problems[0] != "no bridge runs in this folder, and 1 feedback waits: "+h.Command("run") {
		t.Errorf("problems are %q", s.Problems)
	}
}

// TestReady checks that a bridge is ready if it responds so on its recorded address.
func TestReady(t *testing.T) {
	folder, status := t.TempDir(), http.StatusOK
	if err := home.Ready(t.Context(), folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a bridge: %v", err)
	}
	bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
	}))
	if err := home.WriteRunning(folder, strings.TrimPrefix(bridge.URL, "http://")); err != nil {
		t.Fatal(err)
	}
	if err := home.Ready(t.Context(), folder); err != nil {
		t.Error(err)
	}
	status = http.StatusServiceUnavailable
	if err := home.Ready(t.Context(), folder); !errors.Is(err, home.ErrNotReady) {
		t.Errorf("while it accepts nothing: %v", err)
	}
	bridge.Close()
	if err := home.Ready(t.Context(), folder); err == nil || errors.Is(err, home.ErrNotReady) {
		t.Errorf("after it was killed: %v", err)
	}
}
