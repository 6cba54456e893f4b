package attachment

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	const limit = 5000
	tests := []struct {
		name     string
		size     int
		declared bool
		atOpen   bool
		refused  bool
	}{
		{"declared, at the limit", limit, true, false, false},
		{"declared, above", limit + 1, true, true, true},
		{"counted, at the limit", limit, false, false, false},
		{"counted, above", limit + 1, false, false, true},
		{"counted, far above", 100 * limit, false, false, true},
		{"empty", 0, true, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := content(tt.size)
			f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.declared {
					w.Header().Set("Content-Length", strconv.Itoa(len(all)))
				} else {
					w.(http.Flusher).Flush()
				}
				w.Write(all)
			}, Config{MaxBytes: limit})
			file, err := f.Open(t.Context(), OpenRequest{URL: url + "/file.bin"})
			if tt.atOpen {
				failure(t, err, true, reasonTooLarge)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			want := int64(-1)
			if tt.declared {
				want = int64(tt.size)
			}
			if file.Size != want {
				t.Errorf("size %d, want %d", file.Size, want)
			}
			got, err := io.ReadAll(file)
			if tt.refused {
				failure(t, err, true, reasonTooLarge)
			} else if err != nil || !bytes.Equal(got, all) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if _, again := file.Read(make([]byte, 1)); err != nil && !errors.Is(again, err) {
				t.Errorf("then %v", again)
			}
		})
	}
}

func TestEndless(t *testing.T) {
	t.Parallel()
	f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
		for block := content(10_000); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}, Config{MaxBytes: 1 << 20})
	_, got, err := fetch(t, f, OpenRequest{URL: url})
	failure(t, err, true, reasonTooLarge)
	if len(got) > 1<<20+1 {
		t.Errorf("read %d bytes", len(got))
	}
}

// TestDeclared writes raw responses, since net/http refuses to send them.
func TestDeclared(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		reason       string // "" if the file is "12345"
	}{
		{"right", "Content-Length: 5\r\n\r\n12345", ""},
		{"less than declared", "Content-Length: 6\r\n\r\n12345", reasonBroken},
		{"nothing of what was declared", "Content-Length: 6\r\n\r\n", reasonBroken},
		// In HTTP the file ends there; what follows is not part of it.
		{"more than declared", "Content-Length: 5\r\n\r\n123456789", ""},
		{"two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345", reasonUnreachable},
		{"negative length", "Content-Length: -5\r\n\r\n12345", reasonUnreachable},
		{"no number", "Content-Length: five\r\n\r\n12345", reasonUnreachable},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", ""},
		{"chunked, no end", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", reasonBroken},
		{"chunked, broken", "Transfer-Encoding: chunked\r\n\r\n5\r\n123", reasonBroken},
		{"chunked, no number", "Transfer-Encoding: chunked\r\n\r\nx\r\n12345", reasonBroken},
		{"until closed", "\r\n12345", ""},
		{"brotli", "Content-Encoding: br\r\nContent-Length: 5\r\n\r\n12345", reasonEncoded},
		{"identity", "Content-Encoding: identity\r\nContent-Length: 5\r\n\r\n12345", ""},
		{"two encodings", "Content-Encoding: identity\r\nContent-Encoding: br\r\n\r\n12345", reasonEncoded},
		{"headers without end", strings.Repeat("X-A: "+strings.Repeat("x", 1000)+"\r\n", 100) + "\r\n12345", reasonUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"+tt.answer)
			}, Config{})
			_, got, err := fetch(t, f, OpenRequest{URL: url + "/file.txt"})
			if tt.reason != "" {
				failure(t, err, tt.reason == reasonEncoded, tt.reason)
			} else if err != nil || string(got) != "12345" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestClosedAfterHeaders: a source that breaks off gets no verdict, since the rest may be
// valid.
func TestClosedAfterHeaders(t *testing.T) {
	t.Parallel()
	for _, want := range []Want{WantAny, WantImage, WantREST} {
		for _, answer := range []string{
			"Content-Type: image/png\r\nContent-Length: 100\r\n\r\n",
			"Content-Type: image/png\r\nContent-Length: 100\r\n\r\n<!DOCTYPE html>",
			"Content-Length: 100\r\n\r\nabc",
			"Transfer-Encoding: chunked\r\n\r\n",
			"Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b",
		} {
			f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+answer)
			}, Config{})
			_, err := f.Open(t.Context(), OpenRequest{URL: url + "/shot.png", Want: want})
			failure(t, err, false, reasonBroken)
			if !IsSourceFault(err) {
				t.Errorf("%q: not the source's fault: %v", answer, err)
			}
		}
	}
}

// TestGzipStaysGzip: a gzip file is passed on compressed, so a bomb stays as small as on
// the wire.
func TestGzipStaysGzip(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	zip.Write(make([]byte, 10<<20))
	zip.Close()
	f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("asked for %q", got)
		}
		w.Write(bomb.Bytes())
	}, Config{MaxBytes: 1 << 20})
	file, got, err := fetch(t, f, OpenRequest{URL: url + "/log.gz"})
	if err != nil || !bytes.Equal(got, bomb.Bytes()) || file.ContentType != "application/x-gzip" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	permanent := map[int]bool{
		201: false, 202: false, 204: false, 206: false, 300: false, 304: false,
		400: true, 401: true, 402: true, 403: true, 404: true, 405: true, 410: true, 414: true, 416: true, 451: true,
		408: false, 421: false, 425: false, 429: false,
		500: false, 502: false, 503: false, 504: false, 599: false,
	}
	for status, want := range permanent {
		f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		}, Config{})
		_, err := f.Open(t.Context(), OpenRequest{URL: url + "/x?X-Amz-Signature=secret"})
		e := failure(t, err, want, fmt.Sprintf("the source answered HTTP %d", status))
		if e.Status != status || e.RetryAfter != 7*time.Second || strings.Contains(e.Error(), "secret") {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	f, err := New(Config{AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Open(t.Context(), OpenRequest{URL: "http://" + listener.Addr().String() + "/x?secret"})
	if e := failure(t, err, false, reasonUnreachable); strings.Contains(e.Error(), "secret") {
		t.Error(e)
	}
}
