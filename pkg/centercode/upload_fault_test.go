package centercode_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

func TestAddFileSourceFault(t *testing.T) {
	broken := errors.New("the source broke: https://s3.example/log?X-Amz-Signature=abc")
	const mib = 1 << 20
	tests := []struct {
		name string
		size int64
		body io.Reader
		is   error
	}{
		{"breaks at once", 10, iotest.ErrReader(broken), broken},
		{"breaks midway", 3 * mib, io.MultiReader(pattern(mib), iotest.ErrReader(broken)), broken},
		{"breaks midway, length unknown", -1, io.MultiReader(pattern(mib), iotest.ErrReader(broken)), broken},
		{"breaks at its end", mib, io.MultiReader(pattern(mib), iotest.ErrReader(broken)), broken},
		{"is too short", 3 * mib, pattern(mib), io.ErrUnexpectedEOF},
		{"is too short by one", 10, pattern(9), io.ErrUnexpectedEOF},
		{"is empty", 10, strings.NewReader(""), io.ErrUnexpectedEOF},
		{"is too long", 3 * mib, pattern(4 * mib), nil},
		{"is too long by one", 10, pattern(11), nil},
		{"should be empty", 0, pattern(1), nil},
		{"makes no progress", 10, stuck{}, io.ErrNoProgress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim, c, endpoint := withTicket(t, centercodesim.Config{})
			_, err := c.AddFile(t.Context(), file(endpoint, tt.size, tt.body))
			var source *centercode.SourceError
			if !errors.As(err, &source) || tt.is != nil && !errors.Is(err, tt.is) || strings.Contains(err.Error(), "Signature") {
				t.Errorf("got %v (%T)", err, err)
			}
			if files := sim.Tickets()[0].Files; len(files) != 0 {
				t.Errorf("the simulator has %+v", files)
			}
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestAddFileFaults is TestCreateTicketFaults for files.
func TestAddFileFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  centercodesim.Fault
		status int // -1: no error
		lost   bool
		kept   int
		text   string
	}{
		{"400", centercodesim.Fault{Status: 400}, 400, false, 0, "asked to fail"},
		{"413 midway", centercodesim.Fault{Status: 413, ReadFirst: 1 << 20}, 413, false, 0, "asked to fail"},
		{"503 midway", centercodesim.Fault{Status: 503, ReadFirst: 2 << 20}, 503, false, 0, "asked to fail"},
		{"504 at once", centercodesim.Fault{Status: 504}, 504, false, 0, ""},
		{"504 after the file", centercodesim.Fault{Status: 504, After: true}, 504, true, 1, ""},
		{"dropped at once", centercodesim.Fault{Drop: true}, 0, false, 0, ""},
		{"dropped midway", centercodesim.Fault{Drop: true, ReadFirst: 1 << 20}, 0, false, 0, ""},
		{"dropped after the file", centercodesim.Fault{Drop: true, After: true}, 0, true, 1, ""},
		{"a web page after the file", centercodesim.Fault{Body: centercodesim.BodyHTML, After: true}, -1, false, 1, ""},
		{"nothing after the file", centercodesim.Fault{Body: centercodesim.BodyEmpty, After: true}, -1, false, 1, ""},
		{"502 after the file", centercodesim.Fault{Status: 502, After: true}, 502, true, 1, ""},
		{"302 after the file", centercodesim.Fault{Status: 302, After: true}, 302, true, 1, ""},
		{"500 after the file", centercodesim.Fault{Status: 500, After: true}, 500, false, 1, ""},
		{"408 after the file", centercodesim.Fault{Status: 408, After: true}, 408, false, 1, ""},
		{"413 and hung up", centercodesim.Fault{Status: 413, HangUp: true}, 413, false, 0, "asked to fail"},
		{"a web page under 200", centercodesim.Fault{Status: 200, Body: centercodesim.BodyHTML, After: true}, 200, true, 1, "web page: Service error"},
		{"half an answer under 200", centercodesim.Fault{Status: 200, Body: centercodesim.BodyTruncated, After: true}, 200, true, 1, "unexpected EOF"},
		{"a word", centercodesim.Fault{Answer: "OK", After: true}, -1, false, 1, ""},
		{"half an answer", centercodesim.Fault{Body: centercodesim.BodyTruncated, After: true}, -1, false, 1, ""},
		{"an endless answer", centercodesim.Fault{Body: centercodesim.BodyEndless, After: true}, -1, false, 1, ""},
		{"success too early", centercodesim.Fault{Status: 201, ReadFirst: 1 << 20}, 200, false, 0, "before it had the whole file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim, c, endpoint := withTicket(t, centercodesim.Config{})
			tt.fault.Op = centercodesim.OpFile
			sim.Inject(tt.fault)
			const size = 64 << 20 // more than the buffers in between hold
			_, err := c.AddFile(t.Context(), file(endpoint, size, pattern(size)))
			if tt.status < 0 {
				if err != nil {
					t.Errorf("got %v", err)
				}
			} else if e := apiError(t, err); e.Op != centercode.OpAddFile || e.Status != tt.status || e.Lost != tt.lost || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %+v: %v", *e, e)
			}
			if kept := len(sim.Tickets()[0].Files); kept != tt.kept {
				t.Errorf("%d files, want %d", kept, tt.kept)
			}
		})
	}
}

// TestAddFileRefusedBeforeItIsSent checks that with Expect: 100-continue a refusal costs no
// upload.
func TestAddFileRefusedBeforeItIsSent(t *testing.T) {
	_, c, endpoint := withTicket(t, centercodesim.Config{MaxFileBytes: 1 << 20})
	const size = 8 << 20
	written, err := c.AddFile(t.Context(), file(endpoint, size, pattern(size)))
	if e := apiError(t, err); e.Status != 413 || written != 0 {
		t.Errorf("got %+v after %d bytes", *e, written)
	}
}

// TestAddFileRefusedAndHungUp checks that when a server responds and hangs up during the
// upload, its response is reported, not a broken pipe.
func TestAddFileRefusedAndHungUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() // with unread data in its buffers, so that it sends a reset
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				_, _ = io.CopyN(io.Discard, conn, 3<<20)
				const body = `{"status":413,"description":"Too large."}`
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
			}()
		}
	}()
	c := newClient(t, "http://"+l.Addr().String())
	for range 50 {
		const size = 32 << 20
		_, err := c.AddFile(t.Context(), file("/x", size, pattern(size)))
		if e := apiError(t, err); e.Status != 413 || e.Description != "Too large." {
			t.Fatalf("got %+v", *e)
		}
	}
}

func TestAddFileCancelled(t *testing.T) {
	_, c, endpoint := withTicket(t, centercodesim.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	source := io.MultiReader(pattern(2<<20), readerFunc(func([]byte) (int, error) {
		cancel()
		<-ctx.Done()
		return 0, ctx.Err() // as a source with the same context does
	}))
	_, err := c.AddFile(ctx, file(endpoint, 4<<20, source))
	var sourceErr *centercode.SourceError
	if e := apiError(t, err); !errors.Is(err, context.Canceled) || e.Lost || errors.As(err, &sourceErr) {
		t.Errorf("got %+v", *e)
	}
}

// TestAddFileAnsweredTooEarly checks that an upload that is cut off after a successful
// response has failed, whatever cut it off.
func TestAddFileAnsweredTooEarly(t *testing.T) {
	const size, arrives = 1 << 30, 3 << 20 // more than the read-ahead for a file of unknown size
	broken := errors.New("the source broke")
	for _, tt := range []struct {
		name string
		end  func(cancel func()) error // how the source ends after the response
		is   error
	}{
		{"source broken", func(func()) error { return broken }, broken},
		{"source at its end", func(func()) error { return io.EOF }, io.ErrUnexpectedEOF},
		{"context ended", func(cancel func()) error { cancel(); return context.Canceled }, context.Canceled},
	} {
		for _, known := range []bool{true, false} {
			if !known && tt.is == io.ErrUnexpectedEOF {
				continue // without a length this is a regular end
			}
			t.Run(fmt.Sprintf("%s, length known %v", tt.name, known), func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				answered := make(chan struct{})
				s := answering(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.CopyN(io.Discard, r.Body, arrives/2)
					_ = http.NewResponseController(w).EnableFullDuplex()
					w.WriteHeader(http.StatusCreated)
					_ = http.NewResponseController(w).Flush()
					close(answered)
				})
				r := file(s.URL, size, io.MultiReader(pattern(arrives), readerFunc(func([]byte) (int, error) {
					<-answered
					return 0, tt.end(cancel)
				})))
				if !known {
					r.Size = -1
				}
				// The upload may end before the source returns its error.
				_, err := newClient(t, s.URL).AddFile(ctx, r)
				if err == nil || !errors.Is(err, tt.is) && !strings.Contains(err.Error(), "before it had the whole file") {
					t.Errorf("got %v, want %v", err, tt.is)
				}
			})
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestAddFileDoesNotReadAfterwards checks that the source is not read after AddFile has
// returned.
func TestAddFileDoesNotReadAfterwards(t *testing.T) {
	sim, c, endpoint := withTicket(t, centercodesim.Config{})
	for range 20 {
		sim.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 500, ReadFirst: 1 << 20})
		over := false // unguarded, so that the race detector reports a late read
		source := readerFunc(func(p []byte) (int, error) {
			if over {
				t.Error("read after AddFile had returned")
			}
			return len(p), nil
		})
		_, err := c.AddFile(t.Context(), file(endpoint, 1<<30, source))
		over = true
		if e := apiError(t, err); e.Status != 500 {
			t.Errorf("got %+v", *e)
		}
	}
}

func TestAddFileOverTLS(t *testing.T) {
	sim, err := centercodesim.New(centercodesim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(sim.Handler())
	defer s.Close()
	transport := centercode.NewTransport()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	c, err := centercode.New(centercode.Config{BaseURL: s.URL, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := c.CreateTicket(t.Context(), ticketRequest(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 100, 9<<20 + 5} {
		written, err := c.AddFile(t.Context(), file(ticket.Files["screenshot"], size, iotest.HalfReader(pattern(size))))
		if err != nil || written != size {
			t.Fatalf("wrote %d: %v", written, err)
		}
		files := sim.Tickets()[0].Files
		if got := files[len(files)-1]; got.Size != size || got.SHA256 != sha(pattern(size)) {
			t.Errorf("arrived as %+v", got)
		}
	}
	sim.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 413, ReadFirst: 2 << 20})
	_, err = c.AddFile(t.Context(), file(ticket.Files["screenshot"], 64<<20, pattern(64<<20)))
	if e := apiError(t, err); e.Status != 413 {
		t.Errorf("got %+v", *e)
	}
	// A client that does not trust the server's certificate cannot connect.
	_, err = newClient(t, s.URL).AddFile(t.Context(), file("/x", 1, pattern(1)))
	if e := apiError(t, err); e.Status != 0 || e.Lost {
		t.Errorf("got %+v", *e)
	}
}
