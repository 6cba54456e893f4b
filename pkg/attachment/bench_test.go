package attachment

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"testing"
)

// BenchmarkRead reads 256 MiB over loopback, next to bare net/http over HTTP/1.1 and
// HTTP/2; -bench=Read reports MB/s for each.
func BenchmarkRead(b *testing.B) {
	const total = 256 << 20
	block := content(1 << 20)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(total))
		w.Header().Set("Content-Type", "application/zip")
		for range total / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	f, plain := local(b, handler.ServeHTTP, Config{})
	w := newWorld(b, handler)
	encrypted := w.fetcher(b, Config{})
	bare := &http.Transport{DisableCompression: true}
	bareTLS := &http.Transport{DisableCompression: true, DialContext: w.dial,
		TLSClientConfig: &tls.Config{RootCAs: w.ca.pool}} // a dialer of its own keeps it at HTTP/1.1
	bareHTTP2 := bareTLS.Clone()
	bareHTTP2.ForceAttemptHTTP2 = true

	get := func(transport *http.Transport, url string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) {
			resp, err := (&http.Client{Transport: transport}).Get(url)
			if err != nil {
				return nil, err
			}
			return resp.Body, nil
		}
	}
	open := func(f *Fetcher, url string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return f.Open(b.Context(), OpenRequest{URL: url}) }
	}
	const secure = "https://app.testfairy.com/file.zip"
	for _, bb := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{
		{"plain/bare", get(bare, plain+"/file.zip")},
		{"plain/attachment", open(f, plain+"/file.zip")},
		{"tls/bare", get(bareTLS, secure)},
		{"tls/bare HTTP2", get(bareHTTP2, secure)},
		{"tls/attachment", open(encrypted, secure)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(total)
			b.ReportAllocs()
			buffer := make([]byte, 256<<10)
			for b.Loop() {
				body, err := bb.open()
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, buffer)
				body.Close()
				if n != total || err != nil {
					b.Fatalf("%d bytes, %v", n, err)
				}
			}
		})
	}
}
