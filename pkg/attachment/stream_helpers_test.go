package attachment

import (
	"bytes"
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// local starts an HTTP server on loopback and a Fetcher that may connect to it and whose
// waits take no time.
func local(t testing.TB, h http.HandlerFunc, o Config) (*Fetcher, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quiet()
	server.Start()
	t.Cleanup(server.Close)
	o.AllowLoopback = true
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return f, server.URL
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// content returns n bytes without a repeating pattern.
func content(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// flaky serves content with ranges and breaks off the first responses.
type flaky struct {
	content []byte
	header  http.Header // set on each response
	drops   []int       // how many bytes of each response to send before breaking off

	mu       sync.Mutex
	requests []*http.Request
}

func (s *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	left := -1
	if n := len(s.requests); n <= len(s.drops) {
		left = s.drops[n-1]
	}
	s.mu.Unlock()
	for key, values := range s.header {
		w.Header()[key] = values
	}
	if left >= 0 {
		w = &breaking{ResponseWriter: w, left: left}
	}
	modified, _ := http.ParseTime(w.Header().Get("Last-Modified")) // zero: unknown
	http.ServeContent(w, r, "file.bin", modified, bytes.NewReader(s.content))
}

func (s *flaky) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// breaking cuts the connection after n bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (w *breaking) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.ResponseWriter.Write(p[:n])
	if w.left -= n; w.left == 0 {
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// fetch opens and reads a whole file.
func fetch(t testing.TB, f *Fetcher, r OpenRequest) (*File, []byte, error) {
	t.Helper()
	file, err := f.Open(t.Context(), r)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	got, err := io.ReadAll(file)
	return file, got, err
}
