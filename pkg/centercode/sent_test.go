package centercode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestLostOnlyIfSent checks that a connection that ends without a response is ambiguous
// only if the whole form was written, however much of it the server had read. On a pipe,
// everything written has been read by the other end.
func TestLostOnlyIfSent(t *testing.T) {
	for _, size := range []int64{1000, pieceSize + 1000, 2*pieceSize + 1000, 5 * pieceSize} {
		for _, tt := range []struct {
			name string
			stop func(form int64) int64 // how much of the form the server reads
			lost bool
		}{
			{"nothing", func(int64) int64 { return 0 }, false},
			{"a part", func(form int64) int64 { return form / 2 }, false},
			{"all but a piece", func(form int64) int64 { return max(0, form-pieceSize) }, false},
			{"all but a byte", func(form int64) int64 { return form - 1 }, false},
			{"all", func(form int64) int64 { return form }, true},
		} {
			t.Run(fmt.Sprintf("%d/%s", size, tt.name), func(t *testing.T) {
				t.Parallel()
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					in := bufio.NewReaderSize(server, 16)
					r, err := http.ReadRequest(in)
					if err != nil {
						t.Error(err)
						return
					}
					if r.Header.Get("Expect") != "" {
						_, _ = io.WriteString(server, "HTTP/1.1 100 Continue\r\n\r\n")
					}
					_, _ = io.CopyN(io.Discard, r.Body, tt.stop(r.ContentLength))
				}()
				transport := NewTransport()
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					return &wideConn{Conn: client, closed: make(chan struct{})}, nil
				}
				c, err := New(Config{BaseURL: "http://localhost", HTTP: &http.Client{Transport: transport}})
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.AddFile(t.Context(), FileRequest{Endpoint: "/x", APIKey: "k", Name: "a", Size: size,
					Body: bytes.NewReader(make([]byte, size))})
				var e *Error
				if !errors.As(err, &e) || e.Lost != tt.lost {
					t.Errorf("lost %v, want %v: %v", e != nil && e.Lost, tt.lost, err)
				}
			})
		}
	}
}
