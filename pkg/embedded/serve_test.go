package embedded_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"fairbridge/pkg/embedded"
)

// TestServeAnswersWhatItAccepted checks that a request sent after the stop, on a connection
// accepted before it, gets a response.
func TestServeAnswersWhatItAccepted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan net.Conn, 1)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken") }),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			select {
			case served <- c:
			default: // a later connection
			}
			return ctx
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- embedded.Serve(ctx, server, l, time.Minute) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-served
	stop()
	for {
		other, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break // no connection is accepted anymore
		}
		other.Close()
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request is not answered: %v", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "taken" || !resp.Close {
		t.Errorf("%q, close %t, %v", text, resp.Close, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
