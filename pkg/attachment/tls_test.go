package attachment

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { servePicture(w) })
	inAnHour, anHourAgo := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	tests := []struct {
		name string
		cert func(w *world) tls.Certificate
		good bool
	}{
		{"right", func(w *world) tls.Certificate { return w.ca.issue(t, inAnHour, "app.testfairy.com") }, true},
		{"expired", func(w *world) tls.Certificate { return w.ca.issue(t, anHourAgo, "app.testfairy.com") }, false},
		{"of another host", func(w *world) tls.Certificate { return w.ca.issue(t, inAnHour, "example.com") }, false},
		{"of the address", func(w *world) tls.Certificate { return w.ca.issue(t, inAnHour, publicIP) }, false},
		{"of another authority", func(*world) tls.Certificate { return newAuthority(t).issue(t, inAnHour, "app.testfairy.com") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &world{ca: newAuthority(t)}
			w.server = serveTLS(t, handler, tt.cert(w))
			_, got, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/a.png"})
			if !tt.good {
				failure(t, err, false, reasonCertificate)
			} else if err != nil || string(got) != picture {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestPlainBehindTLS: plain HTTP on port 443 is refused.
func TestPlainBehindTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { servePicture(w) }))
	plain := &http.Server{Handler: w.server.Config.Handler}
	defer plain.Close()
	w.server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.server.Listener = listener
	go plain.Serve(listener)
	_, _, err = fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/a.png"})
	failure(t, err, false, reasonUnreachable)
}

// TestProxyEnvironment: a proxy set in the environment would dial unchecked addresses.
func TestProxyEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/1.1" {
			t.Errorf("arrived over %s", r.Proto)
		}
		servePicture(w)
	}))
	f := w.fetcher(t, Config{})
	if f.public.(*http.Transport).Proxy != nil || f.loopback.(*http.Transport).Proxy != nil {
		t.Error("a transport uses a proxy")
	}
	_, got, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/a.png"})
	if err != nil || string(got) != picture || len(w.dials()) != 1 || w.dials()[0] != publicIP+":443" {
		t.Errorf("%q, %v, dialled %v", got, err, w.dials())
	}
}
