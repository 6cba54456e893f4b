package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy/api"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/version"
)

// Texts that must never be printed.
const (
	key   = "key-6f1d/+secret"
	token = "TOKENTOKENTOKENTOKEN"
)

var credentials = api.Credentials{User: "qa@example.com", Key: key}

// serve starts a server, and returns its client.
func serve(t *testing.T, handler http.Handler) *api.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != version.Product() {
			t.Errorf("User-Agent is %q", r.UserAgent())
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	c, err := api.New(api.Config{BaseURL: srv.URL, Credentials: credentials, HTTP: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func webhook() api.Webhook {
	return api.Webhook{
		Name: "FairBridge (prod)", URL: "https://bridge.example.com/webhooks/testfairy?token=" + token, Enabled: true,
		Actions: []string{"feedback", "crash"}, ProjectIDs: []string{"12345", "45643"},
	}
}

func TestWebhooks(t *testing.T) {
	server := testfairysim.New(testfairysim.Config{Account: credentials.User, APIKey: key})
	c := serve(t, server.Handler())
	if got, err := c.Webhooks(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("an empty account has %v, %v", got, err)
	}
	w := webhook()
	if err := c.AddWebhook(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	list := func() api.Webhook {
		t.Helper()
		got, err := c.Webhooks(t.Context())
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		return got[0]
	}
	w.ID = "1"
	if got := list(); !reflect.DeepEqual(got, w) {
		t.Errorf("added %+v, listed with URL %q", got, got.URL)
	}
	want := testfairysim.Webhook{
		ID: 1, Status: "true", Name: w.Name, URL: w.URL, Actions: "feedback,crash", ProjectIDs: "12345,45643",
	}
	if got := server.Webhooks(); len(got) != 1 || got[0] != want {
		t.Errorf("TestFairy has %+v", got)
	}

	w.Name, w.Enabled, w.Actions, w.ProjectIDs = "other", false, []string{"feedback"}, nil
	if err := c.ChangeWebhook(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.ProjectIDs = []string{"12345", "45643"} // not sent, so unchanged
	if got := list(); !reflect.DeepEqual(got, w) {
		t.Errorf("changed to %+v", got)
	}

	w.ID = "77"
	err := c.ChangeWebhook(t.Context(), w)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != http.StatusNotFound || e.Message != "no such webhook" {
		t.Errorf("got %v", err)
	}
	if w.ID = "../feedbacks"; c.ChangeWebhook(t.Context(), w) == nil {
		t.Error("no error for an id that changes the path")
	}
}

func TestCredentials(t *testing.T) {
	server := testfairysim.New(testfairysim.Config{Account: credentials.User, APIKey: "another"})
	c := serve(t, server.Handler())
	_, err := c.Webhooks(t.Context())
	if !errors.Is(err, api.ErrCredentials) {
		t.Errorf("got %v", err)
	}
	want := "TestFairy: list webhooks: user or API key refused: wrong credentials (HTTP 401)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestBases(t *testing.T) {
	for _, base := range []string{
		api.US, api.EU, api.Legacy, "https://acme.testfairy.com/",
		"http://127.0.0.1:8081/testfairy", "http://localhost:1", "http://[::1]:1",
	} {
		if _, err := api.New(api.Config{BaseURL: base, Credentials: credentials}); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, base := range []string{
		"", "mobile.saucelabs.com", "http://mobile.saucelabs.com", "ftp://127.0.0.1", "https://", "https://u:p@host",
		"https://host/?q=1", "https://host/#f", "https://ho st", "http://127.0.0.1.example.com",
	} {
		if _, err := api.New(api.Config{BaseURL: base, Credentials: credentials}); !errors.Is(err, api.ErrInvalidBase) {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestBaseWithPath(t *testing.T) {
	server := testfairysim.New(testfairysim.Config{})
	srv := httptest.NewServer(http.StripPrefix("/testfairy", server.Handler()))
	t.Cleanup(srv.Close)
	c, err := api.New(api.Config{BaseURL: srv.URL + "/testfairy", Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Webhooks(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRedirectIsNotFollowed: a redirect must not carry the credentials to another host.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was requested", r.Method, r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serve(t, http.RedirectHandler(elsewhere.URL+"/api/1/webhooks/", status))
		for name, call := range map[string]func() error{
			"list": func() error { _, err := c.Webhooks(t.Context()); return err },
			"add":  func() error { return c.AddWebhook(t.Context(), webhook()) },
		} {
			err := call()
			if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != status {
				t.Errorf("%s, %d: got %v", name, status, err)
			}
		}
	}
}

func TestEndOfContext(t *testing.T) {
	release := make(chan struct{})
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := c.Webhooks(ctx); done <- err }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestPrinting checks that no type of this package prints a secret, whatever verb is used.
func TestPrinting(t *testing.T) {
	c, err := api.New(api.Config{BaseURL: api.EU, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	for _, v := range []any{credentials, &credentials, c, webhook(), []api.Webhook{webhook()}} {
		logger.Info("x", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
	}
	noSecret(t, log.String())
	if got, want := fmt.Sprint(webhook()), `webhook  "FairBridge (prod)" to https://bridge.example.com/webhooks/testfairy`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func noSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{key, url.QueryEscape(key), token} {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows %q", text, secret)
		}
	}
}
