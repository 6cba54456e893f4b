//go:build unix

package centercode_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"fairbridge/pkg/centercode"
)

// BenchmarkAddFile moves a file from one server to another: with a bare net/http copy from
// a GET into a POST, which is the lower bound; through io.Pipe, as most multipart uploads
// are written; and with AddFile.
//
//	go test -run '^$' -bench AddFile -benchtime 3x ./pkg/centercode
func BenchmarkAddFile(b *testing.B) {
	const size = 1 << 30
	for _, secure := range []bool{false, true} {
		start, scheme := httptest.NewServer, "http"
		if secure {
			start, scheme = httptest.NewTLSServer, "https"
		}
		source := start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			piece := make([]byte, 1<<20)
			for range size / len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}))
		b.Cleanup(source.Close)
		sink := start(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 1<<20))
		}))
		b.Cleanup(sink.Close)

		run := func(name string, upload func(*http.Response) error) {
			b.Run(scheme+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				before := cpuSeconds()
				for b.Loop() {
					resp, err := source.Client().Get(source.URL)
					if err != nil {
						b.Fatal(err)
					}
					if err := upload(resp); err != nil {
						b.Fatal(err)
					}
					resp.Body.Close()
				}
				b.ReportMetric((cpuSeconds()-before)/float64(b.N)/(size/(1<<30)), "cpu-s/GiB")
			})
		}
		post := func(body io.Reader, contentType string, length int64) error {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, sink.URL, body)
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", contentType)
			req.ContentLength = length
			resp, err := sink.Client().Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
		run("bare copy", func(resp *http.Response) error { return post(resp.Body, "application/octet-stream", size) })
		run("io.Pipe", func(resp *http.Response) error {
			pr, pw := io.Pipe()
			form := multipart.NewWriter(pw)
			go func() {
				part, err := form.CreateFormFile("file", "a.bin")
				if err == nil {
					_, err = io.Copy(part, resp.Body)
				}
				if err == nil {
					err = form.Close()
				}
				pw.CloseWithError(err)
			}()
			return post(pr, form.FormDataContentType(), -1)
		})
		transport := centercode.NewTransport()
		if secure {
			transport.TLSClientConfig = sink.Client().Transport.(*http.Transport).TLSClientConfig
		}
		b.Cleanup(transport.CloseIdleConnections)
		c, err := centercode.New(centercode.Config{BaseURL: sink.URL, HTTP: &http.Client{Transport: transport}})
		if err != nil {
			b.Fatal(err)
		}
		for name, length := range map[string]int64{"AddFile": size, "AddFile chunked": -1} {
			run(name, func(resp *http.Response) error {
				_, err := c.AddFile(b.Context(), centercode.FileRequest{
					Endpoint: sink.URL + "/x", APIKey: "k", Name: "a.bin", Size: length, Body: resp.Body})
				return err
			})
		}
	}
}

// BenchmarkCreateTicket creates a small ticket over a kept-alive connection.
func BenchmarkCreateTicket(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"id":"7","files":{"screenshot":"/api/v1/projects//feedback/7/files/screenshot"}}`)
	}))
	b.Cleanup(s.Close)
	c, err := centercode.New(centercode.Config{BaseURL: s.URL})
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Join([][]byte{[]byte(`{"summary":"`), bytes.Repeat([]byte("x"), 2000), []byte(`"}`)}, nil)
	for b.Loop() {
		_, err := c.CreateTicket(b.Context(), centercode.CreateRequest{Project: "P", Source: "s", APIKey: "k", Body: body})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// cpuSeconds returns the processor time of the whole process: both servers and the client.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
