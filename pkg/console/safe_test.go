package console_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

// everyPage returns the path of each page, in a world with one dead letter.
func (w *world) everyPage(id string) []string {
	return []string{"/", "/letters", w.group(), "/deliveries", "/deliveries.csv", "/deliveries/" + id, "/deliveries/" + id + "/edit", "/refused", "/try", "/try?delivery=" + id, "/jobs/1", "/nothing"}
}

// everyChange returns each form that changes something.
func (w *world) everyChange(id string) map[string]url.Values {
	group := w.group()
	return map[string]url.Values{
		"/pause": {"because": {"a"}}, "/resume": {}, group + "/replay": {"first": {"1"}}, group + "/drop": {"because": {"a"}, "sure": {"1"}}, "/jobs/1/cancel": {},
		"/deliveries/" + id + "/replay": {}, "/deliveries/" + id + "/settle": {"there": {"none"}}, "/deliveries/" + id + "/drop": {"because": {"a"}},
	}
}

// withLetter returns a world with one dead letter.
func withLetter(t *testing.T, c console.Config, fields map[string]any) (*world, string) {
	t.Helper()
	w := newWorld(t, c)
	w.refuse(http.StatusBadRequest, 1)
	id := w.send(fields)
	w.until("/deliveries/"+id, has("What is wrong"))
	return w, id
}

func TestNoAccessWithoutALinkOrThePassword(t *testing.T) {
	w, id := withLetter(t, console.Config{}, map[string]any{"text": "a secret of the tester's"})
	pages, changes := w.everyPage(id), w.everyChange(id)
	w.client = browser(t)
	for _, path := range append(pages, "/news") {
		if status, _, body := w.do(http.MethodGet, path, nil); status != http.StatusUnauthorized || strings.Contains(body, "tester") {
			t.Errorf("%s: got %d\n%s", path, status, body)
		}
	}
	for path, form := range changes {
		if status, _, _ := w.do(http.MethodPost, path, form); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d", path, status)
		}
	}
	// No password is set, so none is accepted.
	if status, _, _ := w.do(http.MethodPost, "/enter", url.Values{"password": {""}}); status != http.StatusUnauthorized {
		t.Errorf("the empty password: got %d", status)
	}
	link := w.console.Link()
	forged := link[:len(link)-4] + "AAAA"
	for name, address := range map[string]string{"forged": forged, "cut": link[:len(link)-8], "empty": w.console.URL() + "/enter?once=x"} {
		if status, _, _ := w.do(http.MethodGet, address, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d", name, status)
		}
	}
	if status, _, _ := w.do(http.MethodGet, link, nil); status != http.StatusOK {
		t.Errorf("the link: got %d", status)
	}
	w.page("/")
	w.client = browser(t)
	if status, _, _ := w.do(http.MethodGet, link, nil); status != http.StatusUnauthorized {
		t.Errorf("the link for the second time: got %d", status)
	}
}

func TestLinksAndSessionsEnd(t *testing.T) {
	var ahead atomic.Int64
	w := newWorld(t, console.Config{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	link := w.console.Link()
	ahead.Store(int64(11 * time.Minute))
	old := w.client
	w.client = browser(t)
	if status, _, _ := w.do(http.MethodGet, link, nil); status != http.StatusUnauthorized {
		t.Errorf("an old link: got %d", status)
	}
	w.client = old
	w.page("/refused")
	ahead.Add(int64(11 * time.Hour))
	w.page("/refused") // which restarts the twelve hours
	ahead.Add(int64(11 * time.Hour))
	w.page("/refused")
	ahead.Add(int64(13 * time.Hour))
	if status, _, _ := w.do(http.MethodGet, "/refused", nil); status != http.StatusUnauthorized {
		t.Errorf("an old session: got %d", status)
	}
}

func TestLeavingEndsTheSession(t *testing.T) {
	w := newWorld(t, console.Config{})
	u, _ := url.Parse(w.console.URL())
	cookies := w.client.Jar.Cookies(u)
	w.post("/leave", nil)
	w.client.Jar.SetCookies(u, cookies) // a thief has kept them
	if status, _, _ := w.do(http.MethodGet, "/", nil); status != http.StatusUnauthorized {
		t.Errorf("got %d", status)
	}
}

func TestAnotherProcessMakesALink(t *testing.T) {
	w := newWorld(t, console.Config{})
	link, err := console.LinkTo(w.folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.client = browser(t)
	if status, _, _ := w.do(http.MethodGet, link, nil); status != http.StatusOK {
		t.Errorf("got %d", status)
	}
	w.page("/")
	if _, err := console.LinkTo(t.TempDir(), time.Now()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTheCookieIsForThisConsoleAlone(t *testing.T) {
	w := newWorld(t, console.Config{})
	resp, err := browser(t).Get(w.console.Link())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	u, _ := url.Parse(w.console.URL())
	c := resp.Cookies()[0]
	if c.Name != "fairbridge_"+u.Port() || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" {
		t.Errorf("got %+v", c)
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	foreign := []func(*http.Request){
		func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, // another port of this machine
		func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		func(r *http.Request) { r.Header.Set("Origin", "null") },
	}
	for path, form := range w.everyChange(id) {
		for _, change := range foreign {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.console.URL()+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			change(r)
			resp, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s with headers %v: got %d", path, r.Header, resp.StatusCode)
			}
		}
	}
	w.nothingHappened(id)
}

// nothingHappened checks that the dead letter is still there.
func (w *world) nothingHappened(id string) {
	w.t.Helper()
	if body := w.page("/deliveries/" + id); !has("What is wrong")(body) || strings.Contains(body, "replayed it") || strings.Contains(body, "dropped") {
		w.t.Errorf("something happened:\n%s", body)
	}
	if s := w.home.Status(w.t.Context(), home.StatusOptions{Config: w.config}); len(s.Health) > 0 && s.Health[0].Paused(time.Now()) {
		w.t.Error("deliveries are paused")
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	w := newWorld(t, console.Config{Hosts: []string{"bridge.example.com"}})
	u, _ := url.Parse(w.console.URL())
	for host, want := range map[string]int{
		u.Host: 200, "localhost:" + u.Port(): 200, "localhost": 200, "[::1]:9000": 200, "bridge.example.com": 200, "BRIDGE.example.com:443": 200,
		"evil.example": 421, "evil.example:" + u.Port(): 421, "192.168.1.7": 421, "127.0.0.1.evil.example": 421, "": 421,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.console.URL()+"/refused", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = host; host == "" {
			r.Host = "evil..example"
		}
		for _, c := range w.client.Jar.Cookies(u) {
			r.AddCookie(c)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: got %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestReadOnlyRefusesEveryChange(t *testing.T) {
	w, id := withLetter(t, console.Config{ReadOnly: true}, nil)
	for path, form := range w.everyChange(id) {
		if status, _, body := w.do(http.MethodPost, path, form); status != http.StatusForbidden || !strings.Contains(body, "--read-only") {
			t.Errorf("%s: got %d", path, status)
		}
	}
	w.nothingHappened(id)
	for _, path := range w.everyPage(id) {
		_, _, body := w.do(http.MethodGet, path, nil)
		for action := range w.everyChange(id) {
			if strings.Contains(body, `action="`+action+`"`) {
				t.Errorf("%s offers %s", path, action)
			}
		}
	}
}

// TestHostileTextIsInert checks that everything a tester writes is shown as text on every
// page, and that no page contains inline code or the key.
func TestHostileTextIsInert(t *testing.T) {
	hostile := `<script>alert(1)</script><img src=x onerror=alert(2)>" onmouseover="alert(3)' {{ .Home }} ` + "\u202ereversed\u2066 \x1b[31m =cmd()"
	w, id := withLetter(t, console.Config{}, map[string]any{
		"text": hostile, "appName": hostile, "email": hostile + "@example.com", "version": hostile, "sessionUrl": "javascript:alert(4)//" + hostile, hostile: hostile, "screenshotUrl": "https://x/" + hostile,
	})
	inline := regexp.MustCompile(`(?i)<script(>| [^>]*>[^<])|<style| style=|<[a-z][^>"]*("[^"]*"[^>"]*)* on[a-z]+=|href="?(javascript|data):|<img`)
	for _, path := range w.everyPage(id) {
		status, _, body := w.do(http.MethodGet, path, nil)
		if path == "/deliveries.csv" {
			if !strings.Contains(body, "'") {
				t.Errorf("%s:\n%s", path, body)
			}
			continue
		}
		if found := inline.FindString(body); found != "" {
			t.Errorf("%s (%d) has %q:\n%s", path, status, found, body)
		}
		if strings.ContainsAny(body, "\u202e\u2066\x1b") && !strings.HasSuffix(path, "/edit") { // a form returns its input unchanged
			t.Errorf("%s (%d) contains characters that reverse or hide text", path, status)
		}
		if strings.Contains(body, key) {
			t.Errorf("%s (%d) contains the key", path, status)
		}
	}
	if body := w.page("/deliveries/" + id); !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Errorf("the text is missing:\n%s", body)
	}
}

func TestEveryAnswerIsConfined(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	for _, path := range append(w.everyPage(id), "/enter", "/assets/x/style.css") {
		resp, err := w.client.Get(w.console.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: got %v", path, resp.Header)
		}
		if cached := resp.Header.Get("Cache-Control"); cached != "no-store" {
			t.Errorf("%s: got %q", path, cached)
		}
	}
}

func TestRemoteAccessNeedsAPassword(t *testing.T) {
	w := newWorld(t, console.Config{})
	c := console.Config{Home: w.home, Config: w.config}
	if _, err := console.Listen(t.Context(), "0.0.0.0:0", c); !errors.Is(err, console.ErrNoPassword) {
		t.Fatalf("got %v", err)
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 73)} {
		if _, err := console.HashPassword(bad); err == nil {
			t.Errorf("%q is accepted as a password", bad)
		}
	}
	const password = "correct horse battery"
	hash, err := console.HashPassword(password)
	if err != nil || strings.Contains(hash, password) {
		t.Fatalf("got %q, %v", hash, err)
	}
	if err := w.home.PutSecret(t.Context(), secrets.ConsolePassword, hash); err != nil {
		t.Fatal(err)
	}
	far, err := console.Listen(t.Context(), "0.0.0.0:0", c)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, far)
	w.console, w.client = far, browser(t)
	if status, _, body := w.do(http.MethodGet, "/", nil); status != http.StatusUnauthorized || !has(`type="password"`, "without HTTPS")(body) {
		t.Errorf("got %d\n%s", status, body)
	}
	for range 10 {
		if status, _, _ := w.do(http.MethodPost, "/enter", url.Values{"password": {"wrong horse battery"}}); status != http.StatusUnauthorized {
			t.Fatalf("a wrong password: got %d", status)
		}
	}
	if status, _, body := w.do(http.MethodPost, "/enter", url.Values{"password": {password}}); status != http.StatusUnauthorized || !strings.Contains(body, "Too many") {
		t.Errorf("the eleventh attempt: got %d\n%s", status, body)
	}
	again, err := console.Listen(t.Context(), "0.0.0.0:0", c)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, again)
	w.console = again
	if status, _, _ := w.do(http.MethodPost, "/enter", url.Values{"password": {password}}); status != http.StatusOK {
		t.Errorf("the right password: got %d", status)
	}
	w.page("/")
}
