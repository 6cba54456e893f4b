// Package attachment fetches the files that become a ticket's attachments: a screenshot by
// its URL, a session's log from TestFairy's REST API. The worker, replay and check all use
// it.
//
// URLs come from a webhook's payload, so whoever knows the webhook's URL chooses them. The
// Fetcher therefore only connects to where files may be: https on port 443, hosts on an
// allow list, addresses that are public after DNS, checked again for every redirect. It
// reads a file as a stream: nothing is held in memory or on disk, a source that breaks off
// is resumed, and a File that ends without an error is complete.
package attachment

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"fairbridge/pkg/internal/sleep"
)

// DefaultMaxBytes is the largest file that Centercode accepts: 2 GiB.
const DefaultMaxBytes = 2 << 30

// connectTimeout bounds each of DNS, connecting and the TLS handshake.
const connectTimeout = 10 * time.Second

// Config configures a Fetcher. The zero value is for production.
type Config struct {
	// Hosts is the allow list: "example.com" is that host alone, "*.example.com" is every
	// host below it. Addresses are refused. The default is the hosts on which TestFairy
	// keeps files.
	Hosts []string
	// REST is the base URL of TestFairy's REST API if it is not on one of TestFairy's own
	// hosts. Its host is added to Hosts, and may receive OpenRequest.Auth.
	REST string
	// AllowLoopback permits http and https URLs, with any port, whose host is a loopback
	// address or "localhost". It is for the embedded home, never for AWS.
	AllowLoopback bool
	// Resolve redirects the requests for a host to a base URL on loopback, such as
	// "app.testfairy.com" to "http://127.0.0.1:8081/files": the URL's path and query are
	// appended to it, and the Host header stays. It is for simulators and tests, and does
	// not add the host to the allow list.
	Resolve map[string]string
	// MaxBytes is the largest file, in bytes. The default is DefaultMaxBytes.
	MaxBytes int64
	// IdleTimeout is how long a source may take for its response header, and for each
	// further 16 KiB of its body; the default is 30 s. The total time is limited only by
	// the context.
	IdleTimeout time.Duration
	// RootCAs are the certificate authorities to trust; nil means the machine's.
	RootCAs *x509.CertPool
	// Now is the clock for the age of an announcement and the expiry of a signature; the
	// default is time.Now.
	Now func() time.Time
}

// BasicAuth is an account's email and API key (TestFairy's REST API).
type BasicAuth struct{ User, Password string }

const redacted = "REDACTED"

// String, GoString and MarshalText keep both out of messages, logs and JSON.
func (BasicAuth) String() string { return redacted }

// GoString is what %#v prints.
func (BasicAuth) GoString() string { return redacted }

// MarshalText is what encoding/json and log/slog write.
func (BasicAuth) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// OpenRequest is a request for a file.
type OpenRequest struct {
	URL string
	// Want is the expected kind of file, or "" for any file except a web page.
	Want Want
	// Announced is when the URL became known, which is when its webhook arrived. The file
	// may be late: for 15 minutes from then on, a 403, 404 or 410 can be retried. The zero
	// time means long ago.
	Announced time.Time
	// Auth is sent to TestFairy's own hosts and Config.REST only, and dropped for good as
	// soon as a redirect leads to another host.
	Auth *BasicAuth
}

// Fetcher opens files. It is safe for concurrent use.
type Fetcher struct {
	policy   *policy
	public   http.RoundTripper
	loopback http.RoundTripper
	maxBytes int64
	idle     time.Duration
	// sleep is sleep.For; tests replace it.
	sleep func(ctx context.Context, d time.Duration) error
	// jitter picks a duration from [0, d).
	jitter func(d time.Duration) time.Duration
	now    func() time.Time
}

// New returns a Fetcher. It refuses a config that would weaken the checks: addresses as
// hosts, or a Resolve entry that is not on loopback.
func New(c Config) (*Fetcher, error) {
	c = withDefaults(c)
	return newFetcher(c, newDialer(PublicAddr()), newDialer(loopbackAddr))
}

func newFetcher(c Config, public, loopback *dialer) (*Fetcher, error) {
	if c.MaxBytes < 0 || c.IdleTimeout < 0 {
		return nil, errors.New("attachment: negative limit or timeout")
	}
	hosts, err := newHostList(c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("attachment: allow list: %w", err)
	}
	authHosts := defaultAuthHosts()
	if c.REST != "" {
		host, err := restHost(c.REST)
		if err != nil {
			return nil, fmt.Errorf("attachment: REST API: %w", err)
		}
		hosts, authHosts = append(hosts, host), append(authHosts, host)
	}
	p := &policy{hosts: hosts, authHosts: authHosts, allowLoopback: c.AllowLoopback, resolve: map[string]*url.URL{}}
	for host, base := range c.Resolve {
		u, err := loopbackBase(base)
		if err != nil {
			return nil, fmt.Errorf("attachment: resolve %q: %w", host, err)
		}
		if err := checkHostName(lowerASCII(host)); err != nil {
			return nil, fmt.Errorf("attachment: resolve %q: %w", host, err)
		}
		p.resolve[lowerASCII(host)] = u
	}
	return &Fetcher{
		policy:   p,
		public:   newTransport(c, public),
		loopback: newTransport(c, loopback),
		maxBytes: c.MaxBytes,
		idle:     c.IdleTimeout,
		sleep:    sleep.For,
		jitter:   rand.N[time.Duration],
		now:      c.Now,
	}, nil
}

func withDefaults(c Config) Config {
	if len(c.Hosts) == 0 {
		c.Hosts = defaultHosts()
	}
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// newTransport disables what net/http does by default: a proxy from the environment,
// decompression, HTTP/2 (a fifth slower for a large file, see BenchmarkRead), and
// keep-alive connections (the address of each request has to be checked, and net/http would
// log what a source sends on an idle one).
func newTransport(c Config, d *dialer) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:       nil,
		DialContext: d.DialContext,
		Protocols:   protocols,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    c.RootCAs,
			// Keep-alive connections would save the handshake; this saves most of it.
			ClientSessionCache: tls.NewLRUClientSessionCache(16),
		},
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  c.IdleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		DisableKeepAlives:      true,
	}
}

// Check reports whether r may be fetched, as far as that can be decided without the
// network. Of the credentials, it only matters whether there are any. The error is an
// *Error.
func (f *Fetcher) Check(r OpenRequest) error {
	t, err := f.policy.target(r.URL)
	if err != nil {
		return err
	}
	return r.mayAsk(t, r.Auth)
}
