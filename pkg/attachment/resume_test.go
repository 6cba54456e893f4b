package attachment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/internal/sleep"
)

const (
	longAgo = "Wed, 01 Jul 2015 17:21:00 GMT"
	size    = 100_000
)

func TestResume(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		header  http.Header
		drops   []int
		ifRange string // of each subsequent request
		failed  bool
	}{
		{"three times", http.Header{"Etag": {`"v1"`}}, []int{10_000, 1, 40_000}, `"v1"`, false},
		{"five times", http.Header{"Etag": {`"v1"`}}, []int{1000, 1000, 1000, 1000, 1000}, `"v1"`, false},
		{"six times", http.Header{"Etag": {`"v1"`}}, []int{1000, 1000, 1000, 1000, 1000, 1000}, `"v1"`, true},
		{"within the head", http.Header{"Etag": {`"v1"`}}, []int{100, 100}, `"v1"`, false},
		{"by date", http.Header{"Last-Modified": {longAgo}}, []int{10_000}, longAgo, false},
		{"etag before date", http.Header{"Etag": {`"v1"`}, "Last-Modified": {longAgo}}, []int{10_000}, `"v1"`, false},
		{"weak etag", http.Header{"Etag": {`W/"v1"`}, "Last-Modified": {longAgo}}, []int{10_000}, "", true},
		{"young date", http.Header{"Last-Modified": {longAgo}, "Date": {longAgo}}, []int{10_000}, "", true},
		{"no validator", http.Header{}, []int{10_000}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := &flaky{content: content(size), header: tt.header, drops: tt.drops}
			f, url := local(t, source.ServeHTTP, Config{})
			_, got, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
			if tt.failed {
				failure(t, err, false, reasonBroken)
			} else if err != nil {
				t.Fatal(err)
			}
			if !tt.failed && len(got) != size || !bytes.HasPrefix(source.content, got) {
				t.Errorf("read %d bytes that are not the file's", len(got))
			}
			requests, offset := source.seen(), 0
			if want := len(tt.drops) + 1; !tt.failed && len(requests) != want || len(requests) > 6 {
				t.Errorf("%d requests", len(requests))
			}
			for i, r := range requests {
				wantRange, wantIfRange := "", ""
				if i > 0 {
					wantRange, wantIfRange = fmt.Sprintf("bytes=%d-", offset), tt.ifRange
				}
				if r.Header.Get("Range") != wantRange || r.Header.Get("If-Range") != wantIfRange {
					t.Errorf("request %d: %v", i, r.Header)
				}
				if i < len(tt.drops) {
					offset += tt.drops[i]
				}
			}
		})
	}
}

// TestResumeMismatch: the response to a range must be the rest of the same version;
// otherwise none of it is used.
func TestResumeMismatch(t *testing.T) {
	t.Parallel()
	const broken = 10_000
	rest := fmt.Sprintf("bytes %d-%d/%d", broken, size-1, size)
	tests := []struct {
		name      string
		status    int
		header    map[string]string
		reason    string
		permanent bool
	}{
		{"whole file", 200, map[string]string{"Etag": `"v1"`}, reasonChanged, false},
		{"whole new file", 200, map[string]string{"Etag": `"v2"`}, reasonChanged, false},
		{"no content", 204, nil, reasonChanged, false},
		{"range, other version", 206, map[string]string{"Etag": `"v2"`, "Content-Range": rest}, reasonChanged, false},
		{"range, weak now", 206, map[string]string{"Etag": `W/"v1"`, "Content-Range": rest}, reasonChanged, false},
		{"range, no etag", 206, map[string]string{"Content-Range": rest}, reasonChanged, false},
		{"no content range", 206, map[string]string{"Etag": `"v1"`}, reasonChanged, false},
		{"broken content range", 206, map[string]string{"Etag": `"v1"`, "Content-Range": "bytes -1/x"}, reasonChanged, false},
		{"several ranges", 206, map[string]string{"Etag": `"v1"`, "Content-Type": "multipart/byteranges; boundary=x"}, reasonChanged, false},
		{"begins late", 206, map[string]string{"Etag": `"v1"`, "Content-Range": "bytes 10001-99999/100000"}, reasonChanged, false},
		{"begins early", 206, map[string]string{"Etag": `"v1"`, "Content-Range": "bytes 0-99999/100000"}, reasonChanged, false},
		{"ends early", 206, map[string]string{"Etag": `"v1"`, "Content-Range": "bytes 10000-50000/100000"}, reasonChanged, false},
		{"longer file", 206, map[string]string{"Etag": `"v1"`, "Content-Range": "bytes 10000-199999/200000"}, reasonChanged, false},
		{"encoded", 206, map[string]string{"Etag": `"v1"`, "Content-Range": rest, "Content-Encoding": "gzip"}, reasonChanged, false},
		{"length is another", 206, map[string]string{"Etag": `"v1"`, "Content-Range": rest, "Content-Length": "5"}, reasonChanged, false},
		{"out of range", 416, map[string]string{"Content-Range": "bytes */5"}, reasonChanged, false},
		{"signature over", 403, nil, "the source answered HTTP 403", false},
		{"gone", 404, nil, "the source answered HTTP 404", false},
		{"to a private address", 302, map[string]string{"Location": "http://10.0.0.1/"}, reasonMoved, true},
		{"to a sign-in page", 302, map[string]string{"Location": "/login"}, reasonSignIn, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{broken}}
			f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") == "" {
					source.ServeHTTP(w, r)
					return
				}
				for key, value := range tt.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, strings.Repeat("new", 50_000))
			}, Config{})
			_, got, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
			failure(t, err, tt.permanent, tt.reason)
			if len(got) != broken || !bytes.HasPrefix(source.content, got) {
				t.Errorf("two versions are mixed: %d bytes", len(got))
			}
		})
	}
}

// TestResumeUnknownSize: the first response is chunked, the second has the size.
func TestResumeUnknownSize(t *testing.T) {
	t.Parallel()
	all := content(size)
	serve := func(contentRange string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			if r.Header.Get("Range") == "" {
				w.Write(all[:10_000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			w.Write(all[10_000:])
		}
	}
	f, url := local(t, serve("bytes 10000-99999/100000"), Config{})
	file, got, err := fetch(t, f, OpenRequest{URL: url})
	if err != nil || file.Size != -1 || !bytes.Equal(got, all) {
		t.Errorf("size %d, %d bytes, %v", file.Size, len(got), err)
	}
	f, url = local(t, serve("bytes 10000-99999/100000"), Config{MaxBytes: size - 1})
	_, _, err = fetch(t, f, OpenRequest{URL: url})
	failure(t, err, true, reasonTooLarge)
	// Without a total, the end of this response may not be the end of the file.
	f, url = local(t, serve("bytes 10000-99999/*"), Config{})
	_, _, err = fetch(t, f, OpenRequest{URL: url})
	failure(t, err, false, reasonChanged)
}

// TestResumeEndsEarly: a response without a length that ends cleanly but short of its
// announced range counts as another break.
func TestResumeEndsEarly(t *testing.T) {
	t.Parallel()
	source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{10_000}}
	short := true
	f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" || !short {
			source.ServeHTTP(w, r)
			return
		}
		short = false
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Content-Range", "bytes 10000-99999/100000")
		w.WriteHeader(http.StatusPartialContent)
		w.(http.Flusher).Flush()
		w.Write(source.content[10_000:20_000])
	}, Config{})
	_, got, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
	if err != nil || !bytes.Equal(got, source.content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if last := source.seen()[1].Header.Get("Range"); last != "bytes=20000-" {
		t.Errorf("asked for %s", last)
	}
}

// TestResumeWhileDown: a source that is briefly unreachable uses up resumes.
func TestResumeWhileDown(t *testing.T) {
	t.Parallel()
	for _, down := range []int{1, 4, 5} {
		source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{10_000}}
		left := down
		f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" && left > 0 {
				left--
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			source.ServeHTTP(w, r)
		}, Config{})
		_, got, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
		if down < 5 && (err != nil || !bytes.Equal(got, source.content)) {
			t.Errorf("down %d times: %v", down, err)
		}
		if down == 5 {
			failure(t, err, false, "the source answered HTTP 503")
		}
	}
}

func TestResumeWaits(t *testing.T) {
	t.Parallel()
	source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{1, 1, 1, 1, 1, 1}}
	f, url := local(t, source.ServeHTTP, Config{})
	f.jitter = func(d time.Duration) time.Duration { return d - 1 }
	var waits []time.Duration
	f.sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d+1); return nil }
	if _, _, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"}); err == nil {
		t.Error("no error")
	}
	if got := fmt.Sprint(waits); got != "[200ms 400ms 800ms 1.6s 3.2s]" {
		t.Errorf("waited %s", got)
	}
}

func TestResumeRetryAfter(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{3, 600} {
		source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{10_000}}
		down := true
		f, url := local(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" && down {
				down = false
				w.Header().Set("Retry-After", fmt.Sprint(seconds))
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			source.ServeHTTP(w, r)
		}, Config{})
		var longest time.Duration
		f.sleep = func(_ context.Context, d time.Duration) error { longest = max(longest, d); return nil }
		_, _, err := fetch(t, f, OpenRequest{URL: url + "/file.bin"})
		if seconds == 3 && (err != nil || longest != 3*time.Second) {
			t.Errorf("waited %v, %v", longest, err)
		}
		if seconds == 600 {
			if e := failure(t, err, false, "the source answered HTTP 429"); e.RetryAfter != 10*time.Minute {
				t.Errorf("retry after %v", e.RetryAfter)
			}
		}
	}
}

// TestResumeDeadline: no wait starts that would outlast the context.
func TestResumeDeadline(t *testing.T) {
	t.Parallel()
	source := &flaky{content: content(size), header: http.Header{"Etag": {`"v1"`}}, drops: []int{10_000}}
	f, url := local(t, source.ServeHTTP, Config{})
	f.sleep, f.jitter = sleep.For, func(time.Duration) time.Duration { return 2 * time.Hour }
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	file, err := f.Open(ctx, OpenRequest{URL: url + "/file.bin"})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, err = io.ReadAll(file)
	failure(t, err, false, reasonBroken)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
