package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/version"
)

// gate admits requests with the right token.
type gate struct{ httpHandler }

func (gate) Admit(_ context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, bool) {
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusUnauthorized, Body: "no"}, e.RawQueryString == "token=right"
}

func TestNoByteOfABodyIsReadBeforeTheToken(t *testing.T) {
	untouched := iotest.ErrReader(errors.New("the body was read"))
	l := newListener(t, embedded.ListenerConfig{Handler: gate{func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		t.Error("the handler was called")
		return events.APIGatewayV2HTTPResponse{}, nil
	}}})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/webhooks/testfairy?token=wrong", untouched)
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	if w.Code != 401 || w.Body.String() != "no" || w.Header().Get("Connection") != "close" {
		t.Errorf("answered %d %q, %v", w.Code, w.Body, w.Header())
	}
}

// counting counts the bytes that a server reads from its connections.
type counting struct {
	net.Listener
	read *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l.read}, err
}

type countingConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// TestFloodWithoutAToken sends 100 bodies of 10 MB with a wrong token. The server reads no
// more of a body than arrived in one buffer with the header. If the length is not declared,
// net/http discards the first 256 KiB, one buffer at a time.
func TestFloodWithoutAToken(t *testing.T) {
	const senders, size, buffer, thrownAway = 100, 10_000_000, 4 << 10, 256 << 10
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var read atomic.Int64
	server := embedded.NewServer(newListener(t, embedded.ListenerConfig{Handler: gate{ok}}), nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(counting{inner, &read}) }()
	head := "POST /webhooks/testfairy?token=wrong HTTP/1.1\r\nHost: x\r\n"
	var all sync.WaitGroup
	for n := range senders {
		all.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", inner.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			// The server hangs up at some point, so how much is sent is not known.
			if n%2 == 0 {
				_, _ = fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n", head, size)
				_, _ = io.Copy(conn, io.LimitReader(zeros{}, size))
				return
			}
			_, _ = fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n", head, size)
			_, _ = io.Copy(conn, io.LimitReader(zeros{}, size))
		})
	}
	all.Wait()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if got, most := read.Load(), int64(senders*2*buffer+senders/2*thrownAway); got == 0 || got > most {
		t.Errorf("%d bytes were read of %d senders, want at most %d", got, senders, most)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestBodiesAtOnce checks that a request waits while the memory for bodies is full, and
// that a 503 after too long a wait is reported as refused.
func TestBodiesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var refused []ingest.Refusal
		l := newListener(t, embedded.ListenerConfig{Bodies: 1, Handler: httpHandler(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			<-release
			return ok(ctx, e)
		}), Refused: func(r ingest.Refusal) { refused = append(refused, r) }})
		send := func(size int) chan *httptest.ResponseRecorder {
			answered := make(chan *httptest.ResponseRecorder, 1)
			go func() {
				w := httptest.NewRecorder()
				l.ServeHTTP(w, httptest.NewRequest("POST", "/", bytes.NewReader(make([]byte, size))))
				answered <- w
			}()
			synctest.Wait()
			return answered
		}
		half := ingest.MaxPayloadBytes / 2
		first, second, third := send(half), send(half), send(half)
		w := <-third // once it has waited too long
		if w.Code != 503 || w.Header().Get("Retry-After") != "10" || len(refused) != 1 || refused[0].Reason != ingest.ReasonTooBusy || refused[0].Bytes != half {
			t.Errorf("answered %d %v, refused %+v", w.Code, w.Header(), refused)
		}
		fourth := send(half) // waits, and gets its turn
		close(release)
		for _, answered := range []chan *httptest.ResponseRecorder{first, second, fourth} {
			if w := <-answered; w.Code != 200 {
				t.Errorf("answered %d", w.Code)
			}
		}
	})
}

func TestBodyIsCutOff(t *testing.T) {
	var refused []ingest.Refusal
	l := newListener(t, embedded.ListenerConfig{Handler: httpHandler(ok), Refused: func(r ingest.Refusal) { refused = append(refused, r) }})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	if w.Code != 400 || len(refused) != 1 || refused[0].Reason != ingest.ReasonBodyCutOff || refused[0].Bytes != 4 {
		t.Errorf("answered %d, refused %+v", w.Code, refused)
	}
}

func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken error
		checks := 0
		l := newListener(t, embedded.ListenerConfig{Handler: gate{ok}, Ready: func(context.Context) error { checks++; return broken }})
		get := func(method, path string) int {
			w := httptest.NewRecorder()
			l.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if (w.Body.Len() > 0) != (method != "HEAD") || strings.Contains(w.Body.String(), "disk") ||
				method == "GET" && path == "/healthz" && w.Body.String() != "ok "+version.Product()+"\n" {
				t.Errorf("%s %s: %q", method, path, w.Body)
			}
			return w.Code
		}
		for _, want := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/healthz", 200}, {"HEAD", "/healthz", 200}, {"GET", "/readyz", 200}, {"HEAD", "/readyz", 200},
			{"POST", "/healthz", 405}, {"POST", "/readyz", 405}, {"GET", "/healthz/", 401},
		} {
			if got := get(want.method, want.path); got != want.status {
				t.Errorf("%s %s: %d, want %d", want.method, want.path, got, want.status)
			}
		}
		broken = errors.New("disk full")
		if got := get("GET", "/readyz"); got != 200 || checks != 1 {
			t.Errorf("%d after %d checks within a second, want the one answer", got, checks)
		}
		time.Sleep(time.Second)
		if got := get("GET", "/readyz"); got != 503 || get("GET", "/healthz") != 200 || checks != 2 {
			t.Errorf("%d after %d checks, want 503", got, checks)
		}
	})
}

// FuzzServer writes arbitrary bytes to a server. A handler sees a body only after it has
// admitted its request, and never more than the maximum, and the server survives.
func FuzzServer(f *testing.F) {
	for _, seed := range []string{
		"", "GET", "\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST /webhooks/testfairy?token=right HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST /?token=right HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /?token=wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		"POST /?token=right HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
		"POST /?token=right HTTP/1.0\r\nContent-Length: -1\r\n\r\n{}", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST http://x/%zz?token=right HTTP/1.1\r\nHost: \r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	var failed atomic.Value
	handler := gate{func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		if e.RawQueryString != "token=right" || len(e.Body) > 2*ingest.MaxPayloadBytes {
			failed.Store(fmt.Sprintf("the handler got %q with %d bytes", e.RawQueryString, len(e.Body)))
		}
		return ok(ctx, e)
	}}
	inner, err := (&net.ListenConfig{}).Listen(f.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	server := embedded.NewServer(newListener(f, embedded.ListenerConfig{Handler: handler}), nil)
	go func() { _ = server.Serve(embedded.LimitConnections(inner, 4)) }()
	f.Cleanup(func() { _ = server.Close() })
	f.Fuzz(func(t *testing.T, raw []byte) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			_, _ = conn.Write(raw) // the server may hang up
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		answers := bufio.NewReader(conn)
		for {
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				break // no more responses, or none at all
			}
			if answer.StatusCode < 100 || answer.StatusCode == 500 || answer.StatusCode > 599 {
				t.Errorf("answered %d", answer.StatusCode)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if why := failed.Load(); why != nil {
			t.Error(why)
		}
	})
}
