package attachment

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func zip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestContentEncoding(t *testing.T) {
	t.Parallel()
	log := []byte(strings.Repeat("a line of a log\n", 5000))
	zipped := zip(t, log)
	damaged := bytes.Clone(zipped)
	damaged[len(damaged)-5]++
	tests := []struct {
		name, encoding, media string
		body                  []byte
		want                  []byte // what arrives, or
		reason                string // why the file is refused
	}{
		{"none", "", "text/plain", log, log, ""},
		{"identity", "identity", "text/plain", log, log, ""},
		{"aws-chunked", "aws-chunked", "text/plain", log, log, ""},
		{"a charset", "UTF-8", "text/plain", log, log, ""},
		{"binary", "binary", "text/plain", log, log, ""},
		{"base64, as uploaders write it", "base64", "text/plain", log, log, ""},
		{"a media type", "text/plain", "text/plain", log, log, ""},
		{"identity several times", " , identity,, aws-chunked", "text/plain", log, log, ""},
		{"gzip", "gzip", "text/plain", zipped, log, ""},
		{"gzip by its old name", "X-GZip", "text/plain", zipped, log, ""},
		{"gzip through an upload in chunks", "gzip, aws-chunked", "text/plain", zipped, log, ""},
		{"gzip of nothing", "gzip", "text/plain", zip(t, nil), []byte{}, ""},
		{"gzip over a plain file", "gzip", "text/plain", log, log, ""},
		{"gzip over an empty file", "gzip", "text/plain", nil, []byte{}, ""},
		{"a .gz file", "gzip", "application/gzip", zipped, zipped, ""},
		{"gzip, damaged", "gzip", "text/plain", damaged, nil, reasonDamaged},
		{"gzip, cut off", "gzip", "text/plain", zipped[:len(zipped)/2], nil, reasonDamaged},
		{"gzip, cut off in its header", "gzip", "text/plain", zipped[:5], nil, reasonDamaged},
		{"gzip and more", "gzip", "text/plain", append(bytes.Clone(zipped), "more"...), nil, reasonDamaged},
		{"gzip twice", "gzip, gzip", "text/plain", zip(t, zipped), nil, reasonEncoded},
		{"brotli", "br", "text/plain", log, nil, reasonEncoded},
		{"deflate", "aws-chunked, DEFLATE", "text/plain", log, nil, reasonEncoded},
		{"zstd", "zstd", "text/plain", log, nil, reasonEncoded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", tt.encoding)
				w.Header().Set("Content-Type", tt.media)
				w.Write(tt.body)
			}, Config{})
			file, got, err := fetch(t, f, OpenRequest{URL: url + "/session.log.gz"})
			if tt.reason != "" {
				failure(t, err, tt.reason == reasonEncoded, tt.reason)
				return
			}
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			decoded := !bytes.Equal(tt.body, tt.want)
			if name := map[bool]string{true: "session.log", false: "session.log.gz"}[decoded]; file.Name != name {
				t.Errorf("named %s, want %s", file.Name, name)
			}
			if decoded && file.Size != -1 {
				t.Errorf("Size is %d, the compressed size", file.Size)
			}
		})
	}
}

// TestGzipIsLimited: the limit applies to the decoded file, however small it is on the
// wire.
func TestGzipIsLimited(t *testing.T) {
	t.Parallel()
	bomb := zip(t, make([]byte, 10<<20))
	for limit, refused := range map[int64]bool{1 << 20: true, 10<<20 - 1: true, 10 << 20: false} {
		f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb)
		}, Config{MaxBytes: limit})
		_, got, err := fetch(t, f, OpenRequest{URL: url + "/log.bin"})
		if int64(len(got)) > limit+1 {
			t.Errorf("read %d bytes", len(got))
		}
		if refused {
			failure(t, err, true, reasonTooLarge)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestGzipPicture: the kind of a file is that of its decoded content.
func TestGzipPicture(t *testing.T) {
	t.Parallel()
	for body, reason := range map[string]string{picture: "", page: reasonWebPage, "abc": reasonNotImage} {
		f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(t, []byte(body)))
		}, Config{})
		file, got, err := fetch(t, f, OpenRequest{URL: url + "/shot.png", Want: WantImage})
		if reason != "" {
			failure(t, err, true, reason)
		} else if err != nil || string(got) != picture || file.ContentType != "image/png" {
			t.Errorf("%q, %+v, %v", got, file, err)
		}
	}
}

// TestGzipResumes: a break within compressed data is resumed, unless the source sends the
// rest in another encoding.
func TestGzipResumes(t *testing.T) {
	t.Parallel()
	plain := content(size)
	source := &flaky{content: zip(t, plain), drops: []int{100, 20_000, 30_000},
		header: http.Header{"Etag": {`"v1"`}, "Content-Encoding": {"gzip"}, "Content-Type": {"text/plain"}}}
	f, url := local(t, source.ServeHTTP, Config{})
	if _, got, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"}); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	source.requests = nil
	f, url = local(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			w = &withoutEncoding{ResponseWriter: w}
		}
		source.ServeHTTP(w, r)
	}, Config{})
	_, _, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
	failure(t, err, false, reasonChanged)
}

type withoutEncoding struct{ http.ResponseWriter }

func (w *withoutEncoding) WriteHeader(status int) {
	w.Header().Del("Content-Encoding")
	w.ResponseWriter.WriteHeader(status)
}

func (w *withoutEncoding) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// FuzzContentEncoding: whatever the header and the body, a read without an error yields the
// body or, if it is labelled gzip, its decompressed content.
func FuzzContentEncoding(f *testing.F) {
	f.Add("gzip", zip(f, []byte("abc")))
	f.Add("gzip, aws-chunked", zip(f, make([]byte, 10_000)))
	f.Add("utf-8", []byte("abc"))
	f.Add("br", []byte("\x1f\x8b"))
	f.Add(",x-gzip ,", zip(f, nil)[:9])
	fetcher, err := New(Config{MaxBytes: 5000, AllowLoopback: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, label string, body []byte) {
		fetcher.loopback = answering(func() *http.Response {
			return &http.Response{StatusCode: 200, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
				Header: http.Header{"Content-Encoding": {label}, "Content-Type": {"application/x-any"}}}
		})
		_, got, err := fetch(t, fetcher, OpenRequest{URL: "http://127.0.0.1/f"})
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("error is %T: %v", err, err)
			}
			return
		}
		if bytes.Equal(got, body) && contentEncoding(http.Header{"Content-Encoding": {label}}) == "" {
			return
		}
		zipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			if !bytes.Equal(got, body) {
				t.Errorf("%q: %q became %q", label, body, got)
			}
			return
		}
		if plain, err := io.ReadAll(zipped); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q: %q became %q, %v", label, body, got, err)
		}
	})
}

// answering is a transport that always gives the same response.
type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }
