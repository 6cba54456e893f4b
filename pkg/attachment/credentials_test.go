package attachment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fairbridge/pkg/version"
)

// TestCredentials follows them across redirects: only TestFairy's own hosts receive them,
// and once dropped they are never sent again.
func TestCredentials(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		hops []string
		sent []bool
	}{
		{"TestFairy's page", []string{"app.testfairy.com"}, []bool{true}},
		{"REST API", []string{"mobile.eu-central-1.saucelabs.com"}, []bool{true}},
		{"not to files", []string{"testfairy.s3.amazonaws.com"}, []bool{false}},
		{"not to the rest of Sauce Labs", []string{"www.saucelabs.com"}, []bool{false}},
		{"same host", []string{"app.testfairy.com", "app.testfairy.com"}, []bool{true, true}},
		{"another host", []string{"app.testfairy.com", "testfairy.s3.amazonaws.com"}, []bool{true, false}},
		{"another of TestFairy's", []string{"app.testfairy.com", "api.testfairy.com"}, []bool{true, false}},
		{"subdomain", []string{"testfairy.com", "app.testfairy.com"}, []bool{true, false}},
		{"there and back", []string{"app.testfairy.com", "www.saucelabs.com", "app.testfairy.com"}, []bool{true, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := &recorder{}
			source.answer = func(w http.ResponseWriter, r *http.Request) {
				if n := len(source.seen()); n < len(tt.hops) {
					http.Redirect(w, r, fmt.Sprintf("https://%s/%d.png", tt.hops[n], n), http.StatusFound)
					return
				}
				servePicture(w)
			}
			w := newWorld(t, source)
			_, _, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{
				URL:  "https://" + tt.hops[0] + "/0.png?secret",
				Auth: &BasicAuth{User: "alice@example.com", Password: "key"},
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range source.seen() {
				if _, _, sent := r.BasicAuth(); sent != tt.sent[i] || r.Host != tt.hops[i] {
					t.Errorf("request %d to %s: credentials %v, want %v", i, r.Host, sent, tt.sent[i])
				}
				if r.Referer() != "" || r.Header.Get("Cookie") != "" || r.UserAgent() != version.Product() {
					t.Errorf("request %d: %v", i, r.Header)
				}
			}
		})
	}
}

// TestCredentialsAndREST: a payload's URL must not be able to read the account's REST API
// with the account's credentials, however its path is spelled. A session's URL may.
func TestCredentialsAndREST(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/api/1/feedbacks/", "//api/1/feedbacks/", "/%61pi/1/feedbacks/", "/API/1/", "/x/../api/1/", "/api;x=y/1/", "/moved.png",
	} {
		source := &recorder{answer: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved.png" {
				http.Redirect(w, r, "/api/1/feedbacks/", http.StatusFound)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"status":"ok"}`)
		}}
		w := newWorld(t, source)
		f := w.fetcher(t, Config{REST: "https://testfairy.example.com/"})
		for _, host := range []string{"app.testfairy.com", "mobile.saucelabs.com", "testfairy.example.com"} {
			request := OpenRequest{URL: "https://" + host + path, Auth: &BasicAuth{User: "u", Password: "p"}}
			before := len(source.seen())
			_, _, err := fetch(t, f, request)
			failure(t, err, true, reasonForbidden)
			if (f.Check(request) == nil) != (path == "/moved.png") {
				t.Errorf("%s: Check returned %v", path, f.Check(request))
			}
			for _, r := range source.seen()[before:] {
				if r.URL.Path != "/moved.png" {
					t.Errorf("%s: asked for %s", path, r.RequestURI)
				}
			}
			// Without credentials it is a URL like any other.
			if _, _, err := fetch(t, f, OpenRequest{URL: request.URL}); err != nil {
				t.Errorf("%s without credentials: %v", path, err)
			}
			request.Want = WantREST
			if _, _, err := fetch(t, f, request); err != nil {
				t.Errorf("%s for a session: %v", path, err)
			}
			if _, _, sent := source.seen()[len(source.seen())-1].BasicAuth(); !sent {
				t.Errorf("%s on %s for a session: no credentials", path, host)
			}
		}
	}
}

// TestSignIn singles out the failures that new credentials may fix. A wrong key must not
// make a file fail for good.
func TestSignIn(t *testing.T) {
	t.Parallel()
	auth := &BasicAuth{User: "u", Password: "p"}
	tests := []struct {
		name      string
		answer    func(http.ResponseWriter, *http.Request)
		auth      *BasicAuth
		permanent bool
		signIn    bool
	}{
		{"401", status(401), nil, true, true},
		{"401 with credentials", status(401), auth, false, true},
		{"403 with credentials", status(403), auth, true, true},
		{"404 with credentials", status(404), auth, true, false},
		{"500 with credentials", status(500), auth, false, false},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login/", http.StatusFound) }, auth, true, true},
		{"page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!DOCTYPE html><title>Sign in") }, auth, true, true},
		{"text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no picture") }, auth, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, http.HandlerFunc(tt.answer))
			_, _, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/x", Auth: tt.auth, Want: WantImage})
			var e *Error
			if !errors.As(err, &e) || e.Permanent != tt.permanent || e.SignIn != tt.signIn {
				t.Errorf("%+v, want permanent %v, sign-in %v", e, tt.permanent, tt.signIn)
			}
		})
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestRESTOption(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"http://testfairy.example.com", "https://10.0.0.1", "https://", "testfairy.example.com", "https://u@testfairy.example.com"} {
		if _, err := New(Config{REST: base}); err == nil {
			t.Errorf("%s is accepted", base)
		}
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	t.Parallel()
	r := OpenRequest{Auth: &BasicAuth{User: "alice", Password: "hunter2"}}
	asJSON, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s", r, r, r, r, r.Auth, r.Auth, r.Auth, r.Auth) + string(asJSON)
	if strings.Contains(printed, "hunter2") || strings.Contains(printed, "alice") {
		t.Errorf("printed: %s", printed)
	}
}
