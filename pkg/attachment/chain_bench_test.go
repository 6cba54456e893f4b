//go:build unix

package attachment_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
)

// BenchmarkChain moves a file from a source to Centercode as the worker does, with Open and
// AddFile, alternating with a bare net/http copy from a GET into a POST, so that other load
// on the machine affects both alike. Processor time is that of the whole process: both ends
// and everything between them.
//
//	go test -run '^$' -bench Chain -benchtime 5x ./pkg/attachment
func BenchmarkChain(b *testing.B) {
	const size = 1 << 30
	for _, secure := range []bool{false, true} {
		name, start := "http", httptest.NewServer
		if secure {
			name, start = "https", httptest.NewTLSServer
		}
		b.Run(name, func(b *testing.B) {
			source, sink := start(serve(size)), start(http.HandlerFunc(drain))
			b.Cleanup(source.Close)
			b.Cleanup(sink.Close)
			chain, bare := newChain(b, source, sink), &tally{}
			ours := &tally{}
			b.SetBytes(2 * size)
			for b.Loop() {
				bare.measure(b, func() error { return bareCopy(b, source, sink, size) })
				ours.measure(b, func() error { return chain(size) })
			}
			n := float64(b.N)
			b.ReportMetric(size*n/1e6/ours.took.Seconds(), "chain-MB/s")
			b.ReportMetric(size*n/1e6/bare.took.Seconds(), "bare-MB/s")
			b.ReportMetric(bare.took.Seconds()/ours.took.Seconds(), "x-bare-speed")
			b.ReportMetric(ours.cpu/n/(size/(1<<30)), "cpu-s/GiB")
			b.ReportMetric(bare.cpu/n/(size/(1<<30)), "bare-cpu-s/GiB")
			b.ReportMetric(ours.cpu/bare.cpu, "x-bare-cpu")
		})
	}
}

// tally sums up the cost of one of the two ways.
type tally struct {
	took time.Duration
	cpu  float64 // seconds
}

func (t *tally) measure(b *testing.B, haul func() error) {
	cpu, began := cpuSeconds(), time.Now()
	if err := haul(); err != nil {
		b.Fatal(err)
	}
	t.took += time.Since(began)
	t.cpu += cpuSeconds() - cpu
}

// newChain returns a function that moves the source's file to the sink with this module.
func newChain(b *testing.B, source, sink *httptest.Server) func(size int64) error {
	options := attachment.Config{AllowLoopback: true}
	transport := centercode.NewTransport()
	b.Cleanup(transport.CloseIdleConnections)
	if source.TLS != nil {
		options.RootCAs, transport.TLSClientConfig = x509.NewCertPool(), &tls.Config{RootCAs: x509.NewCertPool()}
		options.RootCAs.AddCert(source.Certificate())
		transport.TLSClientConfig.RootCAs.AddCert(sink.Certificate())
	}
	fetcher, err := attachment.New(options)
	if err != nil {
		b.Fatal(err)
	}
	client, err := centercode.New(centercode.Config{BaseURL: sink.URL, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		b.Fatal(err)
	}
	return func(size int64) error {
		file, err := fetcher.Open(b.Context(), attachment.OpenRequest{URL: source.URL + "/file.zip"})
		if err != nil {
			return err
		}
		defer file.Close()
		n, err := client.AddFile(b.Context(), centercode.FileRequest{
			Endpoint: sink.URL + "/x", APIKey: "k", Name: file.Name, ContentType: file.ContentType, Size: file.Size, Body: file})
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes", n)
		}
		return err
	}
}

// bareCopy is the lower bound: what net/http costs on its own.
func bareCopy(b *testing.B, source, sink *httptest.Server, size int64) error {
	resp, err := source.Client().Get(source.URL)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, sink.URL, resp.Body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	answer, err := sink.Client().Do(req)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// serve sends size bytes in pieces of 1 MiB.
func serve(size int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Content-Type", "application/zip")
		piece := make([]byte, 1<<20)
		for range size / int64(len(piece)) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
}

// drain reads a request to its end in pieces of 1 MiB.
func drain(_ http.ResponseWriter, r *http.Request) {
	// A request that breaks off fails at the sender.
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 1<<20))
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
