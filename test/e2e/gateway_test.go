//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

// apiDomain is the domain of a region's APIs. The gateway's certificate is for *.apiDomain.
const apiDomain = ".execute-api." + region + ".amazonaws.com"

// gateway plays the network in front of AWS's HTTP APIs, so that the webhook URL of the
// stack's outputs works as it is, over TLS: an HTTP proxy that leads connections to
// apiDomain to the emulator, and refuses all others. The tests' client and the command use
// it as HTTPS_PROXY.
type gateway struct {
	proxy       string // URL
	certificate string // path, PEM
	client      *http.Client
	close       func() error
}

func startGateway(ctx context.Context, certificate, emulator string) (*gateway, error) {
	pair, pool, err := selfSigned(certificate, "*"+apiDomain)
	if err != nil {
		return nil, err
	}
	forward := &httputil.ReverseProxy{Transport: loopback.Transport, Rewrite: func(r *httputil.ProxyRequest) {
		// The emulator takes any other form of host for a call to AWS itself.
		api, _, _ := strings.Cut(r.In.Host, ".")
		r.Out.Host = api + ".execute-api." + emulator
		r.Out.URL.Scheme, r.Out.URL.Host = "http", emulator
	}}
	var lc net.ListenConfig
	inner, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	outer, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	api := &http.Server{Handler: forward, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	proxy := &http.Server{Handler: tunnel{inner.Addr().String()}, ReadHeaderTimeout: time.Minute}
	go func() { _ = api.ServeTLS(inner, "", "") }() // both end with ErrServerClosed
	go func() { _ = proxy.Serve(outer) }()

	g := &gateway{proxy: "http://" + outer.Addr().String(), certificate: certificate}
	g.close = func() error { return errors.Join(proxy.Close(), api.Close()) }
	g.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: outer.Addr().String()}),
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		MaxIdleConnsPerHost: 100,
	}}
	return g, nil
}

// tunnel answers CONNECT to the APIs' domain with a connection to an address.
type tunnel struct{ to string }

func (t tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || !strings.HasSuffix(r.Host, apiDomain+":443") {
		http.Error(w, "not a way to "+r.Host, http.StatusForbidden)
		return
	}
	far, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", t.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n") // a broken connection ends below
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

// selfSigned makes a certificate for a name, and writes it to a file for SSL_CERT_FILE.
func selfSigned(path, name string) (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "FairBridge e2e"}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, os.WriteFile(path, text, 0o600)
}
