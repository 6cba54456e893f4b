package attachment

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

const picture = "\x89PNG\x0d\x0a\x1a\x0a and so on"

func servePicture(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "image/png")
	fmt.Fprint(w, picture)
}

// recorder records each request before it answers.
type recorder struct {
	answer http.HandlerFunc

	mu       sync.Mutex
	requests []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, req)
	r.mu.Unlock()
	r.answer(w, req)
}

func (r *recorder) seen() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, location string
		reason         string // "" if followed
	}{
		{"same host", "/file.png", ""},
		{"relative", "file.png", ""},
		{"other host on the list", "https://testfairy.s3.amazonaws.com/file.png?X-Amz-Signature=x", ""},
		{"protocol-relative, on the list", "//files.testfairy.com/file.png", ""},
		{"metadata", "http://169.254.169.254/latest/meta-data/", reasonMoved},
		{"metadata over https", "https://169.254.169.254/latest/meta-data/", reasonMoved},
		{"Lambda's runtime", "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", reasonMoved},
		{"to http", "http://app.testfairy.com/file.png", reasonMoved},
		{"to another port", "https://app.testfairy.com:8443/file.png", reasonMoved},
		{"off the list", "https://example.com/file.png", reasonMoved},
		{"protocol-relative, off the list", "//example.com/file.png", reasonMoved},
		{"to file", "file:///etc/passwd", reasonMoved},
		{"to data", "data:text/plain,x", reasonMoved},
		{"user information", "https://user:pw@app.testfairy.com/file.png", reasonMoved},
		{"list host as user", "https://app.testfairy.com@127.0.0.1/file.png", reasonMoved},
		{"backslashes", `\\example.com\file.png`, reasonMoved},
		{"fragment", "/file.png#x", ""},
		{"nothing but a fragment", "#x", reasonRedirects},
		{"spaces", "/my file.png?sig=a b", ""},
		{"spaces around it", " /file.png ", ""},
		{"a stray percent and letters", "/100%-größe.png", ""},
		{"fragment that would name a host on the list", "https://example.com#@app.testfairy.com/file.png", reasonMoved},
		{"host with a space", "https://app.testfairy.com .example.com/file.png", reasonMoved},
		{"host with an escape", "https://example.com%2f.testfairy.com/file.png", reasonMoved},
		{"a slash and a backslash", `/\example.com/file.png`, reasonMoved},
		{"a port with a tab", "https://app.testfairy.com:8\t443/file.png", reasonMoved},
		{"host that is private", "https://private.testfairy.com/file.png", reasonMoved},
		{"empty", "", reasonRedirect},
		{"sign-in page", "/login", reasonSignIn},
		{"sign-in page with a query", "/login/?next=/file.png", reasonSignIn},
		{"sign-in page, a script", "/user/Login.php", reasonSignIn},
		{"sign-in page elsewhere", "https://accounts.google.com/o/oauth2/auth", reasonSignIn},
		{"sign-in host", "https://sso.example.com/", reasonSignIn},
		{"loop", "/start.png", reasonRedirects},
		{"no sign-in page", "/files/login-screen.png", ""},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(status, " ", tt.name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/start.png" {
						w.Header()["Location"] = []string{tt.location}
						w.WriteHeader(status)
						return
					}
					servePicture(w)
				}))
				w.dns["private.testfairy.com"] = [][]string{{"10.0.0.1"}}
				file, got, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/start.png"})
				if tt.reason != "" {
					failure(t, err, tt.reason != reasonRedirect, tt.reason)
					return
				}
				if err != nil || string(got) != picture || file.Name != "start.png" {
					t.Errorf("got %q, %+v, %v", got, file, err)
				}
			})
		}
	}
}

func TestRedirectCount(t *testing.T) {
	t.Parallel()
	for hops := range 6 {
		w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if left := len(r.URL.Path) - 1; left > 0 {
				http.Redirect(w, r, r.URL.Path[:left], http.StatusFound)
				return
			}
			servePicture(w)
		}))
		_, _, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/" + strings.Repeat("x", hops)})
		if hops <= 3 && err != nil {
			t.Errorf("%d redirects: %v", hops, err)
		}
		if hops > 3 {
			failure(t, err, true, reasonRedirects)
		}
	}
}

// TestRedirectIntoLoopback: AllowLoopback applies to URLs that the user gives, not to
// redirects from outside.
func TestRedirectIntoLoopback(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { servePicture(w) }))
	defer inside.Close()
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusFound)
	}))
	f := w.fetcher(t, Config{AllowLoopback: true})
	_, _, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/x.png"})
	failure(t, err, true, reasonMoved)
	if _, _, err = fetch(t, f, OpenRequest{URL: inside.URL + "/x.png"}); err != nil {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	source := &recorder{answer: func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/files/moved.png":
			w.Header().Set("Location", "/a%2Fb.png")
			w.WriteHeader(http.StatusFound)
		case "/files/away.png":
			w.Header().Set("Location", "https://other.testfairy.com/b.png")
			w.WriteHeader(http.StatusFound)
		case "/files/inside.png":
			w.Header().Set("Location", "http://127.0.0.1:1/b.png")
			w.WriteHeader(http.StatusFound)
		default:
			servePicture(w)
		}
	}}
	server := httptest.NewServer(source)
	defer server.Close()
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { servePicture(w) }))
	f := w.fetcher(t, Config{Resolve: map[string]string{
		"App.TestFairy.com": server.URL + "/files/",
		"example.com":       server.URL,
	}})
	request := OpenRequest{URL: "https://app.testfairy.com/moved.png?a=b", Auth: &BasicAuth{User: "u", Password: "p"}}
	if _, got, err := fetch(t, f, request); err != nil || string(got) != picture {
		t.Fatalf("%q, %v", got, err)
	}
	var uris []string
	for _, r := range source.seen() {
		if _, _, sent := r.BasicAuth(); r.Host != "app.testfairy.com" || !sent {
			t.Errorf("host %s, credentials %v", r.Host, sent)
		}
		uris = append(uris, r.RequestURI)
	}
	if want := []string{"/files/moved.png?a=b", "/files/a%2Fb.png"}; !slices.Equal(uris, want) {
		t.Errorf("asked for %v, want %v", uris, want)
	}
	if len(w.dials()) > 0 {
		t.Errorf("dialled %v", w.dials())
	}
	if _, _, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/away.png"}); err != nil || len(w.dials()) != 1 {
		t.Errorf("redirect out: %v, dialled %v", err, w.dials())
	}
	_, _, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/inside.png"})
	failure(t, err, true, reasonMoved)
	for _, url := range []string{
		"https://example.com/x.png", // not on the allow list
		"http://app.testfairy.com/x.png",
		server.URL + "/x.png",
	} {
		_, _, err := fetch(t, f, OpenRequest{URL: url})
		failure(t, err, true, reasonForbidden)
	}
}
