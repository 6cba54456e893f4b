package attachment

import (
	"slices"
	"strings"
	"testing"
)

var urls = []struct {
	name, url string
	allowed   bool
}{
	{"screenshot", "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d6.jpg", true},
	{"S3", "https://testfairy.s3.amazonaws.com/icons/4/6834.png", true},
	{"signed", "https://testfairy.s3.amazonaws.com/x?X-Amz-Signature=abc&X-Amz-Date=1", true},
	{"apex", "https://testfairy.com/x", true},
	{"Sauce Labs", "https://mobile.eu-central-1.saucelabs.com/x", true},
	{"port 443", "https://app.testfairy.com:443/x", true},
	{"upper case", "HTTPS://APP.TestFairy.COM/x", true},
	{"no path", "https://app.testfairy.com", true},
	{"percent in the path", "https://app.testfairy.com/a%20b%2Fc.png", true},
	{"at sign in the path", "https://app.testfairy.com/@x", true},

	{"empty", "", false},
	{"no scheme", "app.testfairy.com/x", false},
	{"protocol-relative", "//app.testfairy.com/x", false},
	{"http", "http://app.testfairy.com/x", false},
	{"file", "file:///etc/passwd", false},
	{"file with host", "file://app.testfairy.com/etc/passwd", false},
	{"ftp", "ftp://app.testfairy.com/x", false},
	{"gopher", "gopher://app.testfairy.com/x", false},
	{"data", "data:text/plain,x", false},
	{"opaque", "https:app.testfairy.com/x", false},
	{"one slash", "https:/app.testfairy.com/x", false},
	{"three slashes", "https:///app.testfairy.com/x", false},
	{"empty host", "https:///x", false},
	{"empty host with port", "https://:443/x", false},
	{"other port", "https://app.testfairy.com:8443/x", false},
	{"port 80", "https://app.testfairy.com:80/x", false},
	{"empty port", "https://app.testfairy.com:/x", false},
	{"port with zeros", "https://app.testfairy.com:0443/x", false},
	{"port in other digits", "https://app.testfairy.com:４４３/x", false},
	{"another host", "https://example.com/x", false},
	{"suffix without dot", "https://eviltestfairy.com/x", false},
	{"as a subdomain of another", "https://testfairy.com.example.com/x", false},
	{"another bucket", "https://evil.s3.amazonaws.com/x", false},
	{"bucket below", "https://x.testfairy.s3.amazonaws.com/x", false},
	{"S3 by path", "https://s3.amazonaws.com/testfairy/x", false},
	{"user", "https://user@app.testfairy.com/x", false},
	{"user and password", "https://user:pw@app.testfairy.com/x", false},
	{"empty user", "https://@app.testfairy.com/x", false},
	{"list host as user", "https://app.testfairy.com@127.0.0.1/x", false},
	{"list host as user, encoded", "https://app.testfairy.com%40127.0.0.1/x", false},
	{"backslash", `https://app.testfairy.com\@127.0.0.1/x`, false},
	{"backslash host", `https://127.0.0.1\.testfairy.com/x`, false},
	{"backslashes for slashes", `https:\\app.testfairy.com\x`, false},
	{"fragment", "https://app.testfairy.com/x#y", true},
	{"fragment before host", "https://127.0.0.1#@app.testfairy.com/x", false},
	{"fragment after host", "https://app.testfairy.com#@127.0.0.1/x", true},
	{"fragment between host and suffix", "https://127.0.0.1#.testfairy.com/x", false},
	{"query before host", "https://127.0.0.1?@app.testfairy.com/x", false},
	{"trailing dot", "https://app.testfairy.com./x", false},
	{"leading dot", "https://.testfairy.com/x", false},
	{"two dots", "https://app..testfairy.com/x", false},
	{"underscore", "https://a_b.testfairy.com/x", false},
	{"hyphen first", "https://-a.testfairy.com/x", false},
	{"label too long", "https://" + strings.Repeat("a", 64) + ".testfairy.com/x", false},
	{"name too long", "https://" + strings.Repeat("a.", 130) + "testfairy.com/x", false},
	{"percent-encoded dot", "https://app%2etestfairy.com/x", false},
	{"percent-encoded letter", "https://%61pp.testfairy.com/x", false},
	{"percent-encoded, not ASCII", "https://%E2%93%90pp.testfairy.com/x", false},
	{"ideographic dot", "https://app。testfairy.com/x", false},
	{"full-width letters", "https://ａｐｐ.testfairy.com/x", false},
	{"Cyrillic letter", "https://аpp.testfairy.com/x", false},
	{"Kelvin sign", "https://\u212a.testfairy.com/x", false},
	{"address", "https://127.0.0.1/x", false},
	{"address, public", "https://93.184.215.14/x", false},
	{"address as a number", "https://2130706433/x", false},
	{"address in hex", "https://0x7f000001/x", false},
	{"address, hex part", "https://0x7f.1/x", false},
	{"address in octal", "https://0177.0.0.1/x", false},
	{"short address", "https://127.1/x", false},
	{"address, trailing dot", "https://127.0.0.1./x", false},
	{"address in circled digits", "https://①②⑦.⓪.⓪.①/x", false},
	{"address in full-width digits", "https://１２７.0.0.1/x", false},
	{"v6", "https://[::1]/x", false},
	{"v6 mapped", "https://[::ffff:127.0.0.1]/x", false},
	{"v6 public", "https://[2606:2800::1]/x", false},
	{"v6 zone", "https://[fe80::1%25eth0]/x", false},
	{"v6 broken", "https://[::1/x", false},
	{"localhost", "https://localhost/x", false},
	{"metadata by name", "https://metadata.google.internal/x", false},
	{"spaces around it", " https://app.testfairy.com/x \t", true},
	{"newline after", "https://app.testfairy.com/x\n", true},
	{"space in the path", "https://app.testfairy.com/f/my shot.png", true},
	{"space in the query", "https://app.testfairy.com/f?a=my shot", true},
	{"stray percent", "https://app.testfairy.com/100%-app.png", true},
	{"letters in the path", "https://app.testfairy.com/größe.png", true},
	{"backslash in the query", `https://app.testfairy.com/x?a=\b`, true},
	{"backslash in the path", `https://app.testfairy.com/x\y`, false},
	{"line break and header", "https://app.testfairy.com/x\r\nHost: y", true},
	{"tab in host", "https://app.\ttestfairy.com/x", true},
	{"tab between two hosts", "https://app.testfairy.com\t.example.com/x", false},
	{"tab in an address", "https://127.\t0.0.1/x", false},
	{"tab in the scheme", "ht\ttp://app.testfairy.com/x", false},
	{"tab in the port", "https://app.testfairy.com:44\t30/x", false},
	{"space in host", "https://app.testfairy.com .example.com/x", false},
	{"space for the slash", "https://app.testfairy.com example.com/x", false},
	{"space before the user's at", "https://app.testfairy.com @example.com/x", false},
	{"stray percent in host", "https://app%.testfairy.com/x", false},
	{"percent at the host's end", "https://app.testfairy.com%/x", false},
	{"encoded slash after host", "https://example.com%2f.testfairy.com/x", false},
	{"encoded NUL after host", "https://example.com%00.testfairy.com/x", false},
	{"encoded percent in host", "https://app%25.testfairy.com/x", false},
	{"quote in host", `https://app".testfairy.com/x`, false},
	{"brace in host", "https://{app}.testfairy.com/x", false},
	{"v6 zone, stray percent", "https://[::1%lo]/x", false},
	{"v6 zone, loopback", "https://[::1%25lo]/x", false},
	{"NUL", "https://app.testfairy.com/\x00", false},
	{"too long", "https://app.testfairy.com/" + strings.Repeat("x", maxURLBytes), false},
}

func TestURLs(t *testing.T) {
	t.Parallel()
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	loopback, err := New(Config{AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range urls {
		t.Run(tt.name, func(t *testing.T) {
			err := f.Check(OpenRequest{URL: tt.url})
			if tt.allowed && err != nil {
				t.Errorf("%s: %v", tt.url, err)
			}
			if !tt.allowed {
				failure(t, err, true, reasonForbidden)
			}
			// AllowLoopback allows only the plain names of loopback.
			plain := slices.Contains([]string{
				"address", "v6", "localhost", "query before host", "fragment before host",
				"fragment between host and suffix", "tab in an address"}, tt.name)
			if err := loopback.Check(OpenRequest{URL: tt.url}); (err == nil) != (tt.allowed || plain) {
				t.Errorf("%s with loopback: %v", tt.url, err)
			}
		})
	}
}

func TestLoopbackURLs(t *testing.T) {
	t.Parallel()
	f, err := New(Config{AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{
		"http://127.0.0.1:8081/x":            true,
		"https://127.0.0.1/x":                true,
		"http://127.1.2.3:1/x":               true,
		"http://[::1]:8081/x":                true,
		"http://localhost:8081/x":            true,
		"http://10.0.0.1:8081/x":             false,
		"http://169.254.169.254/x":           false,
		"http://0.0.0.0:8081/x":              false,
		"http://[::]:8081/x":                 false,
		"http://[::ffff:127.0.0.1]:8081/x":   false,
		"http://[0:0:0:0:0:0:0:1]:8081/x":    false,
		"http://127.1:8081/x":                false,
		"http://2130706433:8081/x":           false,
		"http://localhost.:8081/x":           false,
		"http://user@127.0.0.1:8081/x":       false,
		"http://127.0.0.1:8081/x#y":          true,
		"http://LOCALHOST:8081/x y":          true,
		"http://127.0.0.1:8081/f/my shot":    true,
		"http://[::1%25lo]:8081/x":           false,
		"http://[::1%lo]:8081/x":             false,
		"http://10.0.0.1#@127.0.0.1/x":       false,
		"http://127.0.0.1\t.example.com/x":   false,
		"ftp://127.0.0.1:8081/x":             false,
		"http://app.testfairy.com/x":         false,
		"https://app.testfairy.com:8081/x":   false,
		"http://localhost.example.com:80/x":  false,
		"http://127.0.0.1.example.com:443/x": false,
	}
	for url, allowed := range tests {
		if err := f.Check(OpenRequest{URL: url}); (err == nil) != allowed {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	resolve := func(base string) Config { return Config{Resolve: map[string]string{"app.testfairy.com": base}} }
	tests := map[string]Config{
		"address as a host":   {Hosts: []string{"127.0.0.1"}},
		"v6 as a host":        {Hosts: []string{"::1"}},
		"URL as a host":       {Hosts: []string{"https://example.com"}},
		"empty host":          {Hosts: []string{""}},
		"everything":          {Hosts: []string{"*"}},
		"a top-level domain":  {Hosts: []string{"*.com"}},
		"star in the middle":  {Hosts: []string{"a.*.com"}},
		"negative limit":      {MaxBytes: -1},
		"negative timeout":    {IdleTimeout: -1},
		"resolve: public":     resolve("http://93.184.215.14/"),
		"resolve: private":    resolve("http://10.0.0.1:80/"),
		"resolve: metadata":   resolve("http://169.254.169.254/"),
		"resolve: any":        resolve("http://0.0.0.0:80/"),
		"resolve: name":       resolve("http://example.com/"),
		"resolve: local name": resolve("http://localhost.example.com/"),
		"resolve: file":       resolve("file:///tmp"),
		"resolve: user":       resolve("http://user@127.0.0.1:80/"),
		"resolve: query":      resolve("http://127.0.0.1:80/?a=b"),
		"resolve: fragment":   resolve("http://127.0.0.1:80/#a"),
		"resolve: empty":      resolve(""),
		"resolve: an address": {Resolve: map[string]string{"93.184.215.14": "http://127.0.0.1:80"}},
	}
	for name, o := range tests {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, tt := range urls {
		f.Add(tt.url)
	}
	fetcher, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := fetcher.policy.target(raw)
		if err != nil {
			failure(t, err, true, reasonForbidden)
			return
		}
		u := target.sent
		host := u.Hostname()
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Port() != "" && u.Port() != "443" {
			t.Errorf("%q is sent to %s", raw, u)
		}
		if host != "testfairy.s3.amazonaws.com" && host != "testfairy.com" && host != "saucelabs.com" &&
			!strings.HasSuffix(host, ".testfairy.com") && !strings.HasSuffix(host, ".saucelabs.com") {
			t.Errorf("%q is sent to %s", raw, host)
		}
		if !strings.Contains(strings.ToLower(lineBreaks.Replace(raw)), host) {
			t.Errorf("%q is sent to %s, which it does not name", raw, host)
		}
		again, err := fetcher.policy.target(u.String())
		if err != nil || again.url.String() != u.String() {
			t.Errorf("%q is read as %s, which is read as %v, %v", raw, u, again.url, err)
		}
		if uri := u.RequestURI(); strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q asks for %q", raw, uri)
		}
	})
}
