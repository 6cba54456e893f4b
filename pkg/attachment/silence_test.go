package attachment

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilence(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w http.ResponseWriter, done <-chan struct{}){
		"before the headers": func(_ http.ResponseWriter, done <-chan struct{}) { <-done },
		"before the body": func(w http.ResponseWriter, done <-chan struct{}) {
			w.(http.Flusher).Flush()
			<-done
		},
		"in the body": func(w http.ResponseWriter, done <-chan struct{}) {
			w.Write(content(10_000))
			w.(http.Flusher).Flush()
			<-done
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, url := local(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r.Context().Done()) },
				Config{IdleTimeout: 50 * time.Millisecond})
			_, _, err := fetch(t, f, OpenRequest{URL: url})
			failure(t, err, false, reasonTimeout)
		})
	}
}

// body is a source's body in virtual time: one piece after each pause.
type body struct {
	ctx    context.Context
	pieces int
	size   int
	pause  time.Duration
	ready  int // unread bytes of the current piece
}

func (b *body) Read(p []byte) (int, error) {
	if b.ready == 0 {
		if b.pieces--; b.pieces < 0 {
			return 0, io.EOF
		}
		select {
		case <-time.After(b.pause):
			b.ready = b.size
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	n := min(b.ready, len(p))
	b.ready -= n
	return n, nil
}

func (b *body) Close() error { return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDrip: what counts is progress. A byte now and then is silence; a slow source or a
// slow reader is not.
func TestDrip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		pieces, size  int
		pause, reader time.Duration
		cut           bool
	}{
		{"a byte a second", 3600, 1, time.Second, 0, true},
		{"a block a second", 3600, 1000, time.Second, 0, false},
		{"a large block in 29 s", 20, progressBytes, 29 * time.Second, 0, false},
		{"a large block in 31 s", 20, progressBytes, 31 * time.Second, 0, true},
		{"reader takes an hour", 5, 1000, time.Second, time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, err := New(Config{AllowLoopback: true})
				if err != nil {
					t.Fatal(err)
				}
				f.loopback = roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Type": {"text/plain"}},
						Body: &body{ctx: r.Context(), pieces: tt.pieces, size: tt.size, pause: tt.pause},
					}, nil
				})
				file, err := f.Open(t.Context(), OpenRequest{URL: "http://127.0.0.1/x"})
				total := 0
				for err == nil {
					var n int
					n, err = file.Read(make([]byte, 64<<10))
					total += n
					time.Sleep(tt.reader)
				}
				if tt.cut {
					failure(t, err, false, reasonTimeout)
				} else if err != io.EOF || total != tt.pieces*tt.size {
					t.Errorf("read %d bytes, %v", total, err)
				}
				if file != nil {
					file.Close()
				}
			})
		})
	}
}

func TestCloseEndsRead(t *testing.T) {
	t.Parallel()
	f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		w.Write(content(1000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, Config{})
	file, err := f.Open(t.Context(), OpenRequest{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, file)
		ended <- err
	}()
	file.Close()
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func TestContextEndsRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		w.Write(content(1000))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}, Config{})
	file, err := f.Open(ctx, OpenRequest{URL: url})
	if err == nil {
		defer file.Close()
		_, err = io.ReadAll(file)
	}
	failure(t, err, false, reasonContext)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
