package attachment

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const publicIP = "93.184.215.14"

// world is an Internet on loopback: a scripted resolver, and a network on which every
// address leads to one TLS server. The guard between the two is the real one.
type world struct {
	ca     *authority
	server *httptest.Server

	mu      sync.Mutex
	dns     map[string][][]string // per host: one answer for each lookup; the last one is repeated
	down    []string              // addresses that do not answer
	dialled []string
}

// newWorld starts the server with a certificate for the usual hosts.
func newWorld(t testing.TB, h http.Handler) *world {
	t.Helper()
	w := &world{ca: newAuthority(t), dns: map[string][][]string{}}
	cert := w.ca.issue(t, time.Now().Add(time.Hour), "testfairy.com", "*.testfairy.com",
		"*.saucelabs.com", "*.eu-central-1.saucelabs.com", "testfairy.s3.amazonaws.com", "testfairy.example.com")
	w.server = serveTLS(t, h, cert)
	return w
}

func serveTLS(t testing.TB, h http.Handler, cert tls.Certificate) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.Config.ErrorLog = quiet()
	server.EnableHTTP2 = true // offered, and not used
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func (w *world) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answers, known := w.dns[host]
	if !known {
		return []netip.Addr{netip.MustParseAddr(publicIP)}, nil
	}
	if len(answers) > 1 {
		w.dns[host] = answers[1:]
	}
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, s := range answers[0] {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	down := slices.Contains(w.down, address)
	w.mu.Unlock()
	if down {
		return nil, syscall.EHOSTUNREACH
	}
	return new(net.Dialer).DialContext(ctx, network, w.server.Listener.Addr().String())
}

func (w *world) dials() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialled)
}

// fetcher returns a Fetcher on w whose waits take no time.
func (w *world) fetcher(t testing.TB, o Config) *Fetcher {
	t.Helper()
	o.RootCAs = w.ca.pool
	o = withDefaults(o)
	public := &dialer{
		allow:  PublicAddr(),
		lookup: w.lookup,
		dial:   w.dial,
	}
	f, err := newFetcher(o, public, newDialer(loopbackAddr))
	if err != nil {
		t.Fatal(err)
	}
	f.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return f
}

// authority is the test's certificate authority.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}
}

func (a *authority) issue(t testing.TB, until time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: hosts,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// failure returns err as an *Error after checking its verdict. A reason about a forbidden
// address may continue with the address's kind.
func failure(t testing.TB, err error, permanent bool, reason string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	ok := e.Reason == reason
	if reason == reasonForbidden || reason == reasonMoved {
		ok = strings.HasPrefix(e.Reason, reason+": ")
	}
	if e.Permanent != permanent || !ok {
		t.Errorf("got permanent %v, reason %q; want %v, %q (%v)", e.Permanent, e.Reason, permanent, reason, e)
	}
	return e
}
