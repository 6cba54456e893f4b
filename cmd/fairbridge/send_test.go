package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

// webhookRecorder is a webhook that records its requests.
type webhookRecorder struct {
	url    string
	status int

	mu       sync.Mutex
	requests []string
}

func newWebhookRecorder(t *testing.T) *webhookRecorder {
	t.Helper()
	k := &webhookRecorder{status: http.StatusAccepted}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = io.WriteString(w, "ok\n")
			return
		}
		body, _ := io.ReadAll(r.Body) // an incomplete body fails the comparison
		k.mu.Lock()
		k.requests = append(k.requests, r.Method+" "+r.URL.String()+" "+string(body))
		k.mu.Unlock()
		if k.status >= 300 && k.status < 400 {
			w.Header().Set("Location", "https://elsewhere.invalid/")
		}
		w.WriteHeader(k.status)
		_, _ = io.WriteString(w, "{}\n")
	}))
	t.Cleanup(srv.Close)
	k.url = srv.URL + "/webhooks/testfairy"
	return k
}

// want compares the recorded requests, and clears them.
func (k *webhookRecorder) want(t *testing.T, want ...string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if got := strings.Join(k.requests, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	k.requests = nil
}

func TestSend(t *testing.T) {
	c := newCloud(t)
	k := newWebhookRecorder(t)
	c.stack.Outputs["WebhookUrl"] = k.url
	c.put(t, secrets.WebhookToken, "n&w\nold")
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	runCommand(t, `{"b":2}`, "send", file, "-", "--stack", stackName).want(t, exitDone, file+": HTTP 202 {}\n-: HTTP 202 {}\n", "")
	k.want(t, `POST /webhooks/testfairy?token=n%26w {"a":1}`, `POST /webhooks/testfairy?token=n%26w {"b":2}`)

	// Another address of the same bridge gets its token too.
	c.stack.Outputs["WebhookUrl"] = "https://unreachable.invalid/"
	runCommand(t, "", "send", file, "--stack", stackName, "--url", k.url+"?x=1").want(t, exitDone, file+": HTTP 202 {}\n", "")
	k.want(t, `POST /webhooks/testfairy?token=n%26w&x=1 {"a":1}`)

	// A complete URL needs no bridge; a place takes precedence over the variable.
	t.Setenv(webhookVariable, k.url+"?token=other")
	runCommand(t, "", "send", file).want(t, exitDone, file+": HTTP 202 {}\n", "")
	k.want(t, `POST /webhooks/testfairy?token=other {"a":1}`)
	missing := filepath.Join(t.TempDir(), "nothing")
	if got := runCommand(t, "", "send", file, "--data", missing); got.code != exitLeft || !strings.Contains(got.err, "there is no bridge in "+missing) {
		t.Errorf("got %+v", got)
	}
	k.want(t)

	for _, status := range []int{302, 400, 503} {
		k.status = status
		got := runCommand(t, "", "send", file)
		if got.code != exitLeft || !strings.HasPrefix(got.out, file+": HTTP ") || got.err != "" {
			t.Errorf("%d: got %+v", status, got)
		}
	}
}

func TestSendOfFolder(t *testing.T) {
	newCloud(t)
	k := newWebhookRecorder(t)
	dir := t.TempDir()
	runCommand(t, "t0ken", "secrets", "put", "webhook-token", "--data", dir)
	runCommand(t, "{}", "send", "-", "--data", dir).want(t, exitLeft, "",
		"fairbridge: no bridge runs in "+dir+"; start one with 'fairbridge run', or name a webhook with --url\n")
	address := strings.TrimPrefix(strings.TrimSuffix(k.url, "/webhooks/testfairy"), "http://")
	if err := home.WriteRunning(dir, address); err != nil {
		t.Fatal(err)
	}
	runCommand(t, "{}", "send", "-", "--data", dir).want(t, exitDone, "-: HTTP 202 {}\n", "")
	k.want(t, `POST /webhooks/testfairy?token=t0ken {}`)
	if s := statusOf(t, exitDone, "--data", dir, "--config", simulated(t)); s.Runs == nil || !*s.Runs {
		t.Errorf("got %+v", s)
	}

	// It was killed, so its recorded address still exists.
	closed := httptest.NewServer(nil)
	closed.Close()
	if err := home.WriteRunning(dir, closed.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	runCommand(t, "{}", "send", "-", "--data", dir).want(t, exitLeft, "",
		"fairbridge: send payload: no bridge answers at "+closed.Listener.Addr().String()+"\n")
	if s := statusOf(t, exitDone, "--data", dir, "--config", simulated(t)); s.Runs == nil || *s.Runs {
		t.Errorf("got %+v", s)
	}
}

func TestSendUsage(t *testing.T) {
	newCloud(t)
	for _, address := range []string{"ftp://h/?token=s3cret", "http://bridge.example.com/?token=s3cret", "https://u:s3cret@h/", "%zz?token=s3cret", "h"} {
		got := runCommand(t, "{}", "send", "-", "--url", address)
		if got.code != exitUsage || strings.Contains(got.err, "s3cret") || !strings.HasPrefix(got.err, "fairbridge: the webhook's URL must ") {
			t.Errorf("%s: got %+v", address, got)
		}
	}
	runCommand(t, "", "send").want(t, exitUsage, "",
		"fairbridge: give the file of a payload, for example events/feedback.json\nSee 'fairbridge send --help'.\n")
}
