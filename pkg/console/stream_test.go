package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/home"
)

// pipes is a listener with in-memory connections, so that a bubble's clock controls their
// deadlines.
type pipes struct {
	dialled chan net.Conn
	closed  context.Context
	close   context.CancelFunc
}

func newPipes() *pipes {
	closed, cancel := context.WithCancel(context.Background())
	return &pipes{make(chan net.Conn), closed, cancel}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.dialled <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8082} }

// TestAStreamOutlivesEveryLimit checks that an open page receives updates for as long as it
// is open: none of the server's timeouts ends its stream, not even one that an earlier form
// set on the same connection.
func TestAStreamOutlivesEveryLimit(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "home")
	synctest.Test(t, func(t *testing.T) {
		h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: folder}, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		network := newPipes()
		s, err := on(t.Context(), network, Config{Home: h})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx) }()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: network.dial, MaxConnsPerHost: 1}
		client := &http.Client{Transport: transport, Jar: jar}
		get := func(method, address string, body url.Values) *http.Response {
			t.Helper()
			req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			if body != nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		drain := func(resp *http.Response) {
			t.Helper()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Body.Close() != nil {
				t.Fatal(err)
			}
		}
		drain(get(http.MethodGet, s.Link(), nil))
		drain(get(http.MethodPost, s.URL()+"/try", url.Values{"payload": {"{}"}}))
		stream := get(http.MethodGet, s.URL()+"/news", nil)
		began, last := time.Now(), time.Now()
		for lines := bufio.NewScanner(stream.Body); time.Since(began) < 3*time.Minute; {
			if !lines.Scan() {
				t.Fatalf("the stream ended after %s: %v", time.Since(began), lines.Err())
			}
			if silent := time.Since(last); silent > refreshed {
				t.Fatalf("no event for %s", silent)
			}
			last = time.Now()
		}
		stop()
		if err := errors.Join(<-served, stream.Body.Close(), s.Close(), h.Close()); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
}
