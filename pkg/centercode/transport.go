package centercode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Timeouts of [NewTransport]. There is no total one, since an upload may take minutes.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	// From the end of the request to the answer's header. It is long because a server may
	// copy or scan a file of 2 GB before it answers.
	headerTimeout = 2 * time.Minute
	// After this, a server that does not support Expect: 100-continue gets the body.
	continueTimeout = time.Second
	// For the network to accept one piece of a body.
	writeTimeout = time.Minute
	// A POST on a connection that the server is just closing, or that went stale while a
	// Lambda was frozen, looks like a lost answer. Servers close idle connections after at
	// least 5 s (Apache, Node), so ours are reused only well before that. net/http compares
	// wall clock times here, so time frozen counts.
	idleTimeout = 3 * time.Second
)

const (
	// Bytes in one write of a body. net/http copies in 32 KiB; measured over
	// loopback, 512 KiB moves 1.3 to 1.7 times as much with 0.8 of the CPU time
	// (BenchmarkAddFile). A body that goes over TLS stays in net/http's pieces: gathering
	// its records into larger writes was 1.15 times as fast over loopback, and made no
	// difference at 100 Mbit/s and 20 ms (docs/performance.md).
	pieceSize = 512 << 10
	// A piece is written once it has this many bytes: waiting for the rest would leave the
	// other end idle.
	enough = 128 << 10
)

// NewTransport returns a transport for uploads: large writes, no total timeout, HTTP/1.1,
// the environment's proxy, no transparent decompression.
func NewTransport() *http.Transport {
	t := newTransport(&net.Dialer{Timeout: dialTimeout})
	t.Proxy = http.ProxyFromEnvironment
	return t
}

// errForbidden means that a file must not be sent to an address.
var errForbidden = errors.New("files must not be sent to this address (centercode.hosts in fairbridge.yaml lists the hosts that belong to Centercode)")

// newGuarded returns a transport that connects only to addresses for which allow returns
// nil. It does not use a proxy, which would choose the address itself.
func newGuarded(allow func(netip.AddrPort) error) *http.Transport {
	return newTransport(&net.Dialer{Timeout: dialTimeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err == nil {
			err = allow(addr)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errForbidden, err)
		}
		return nil
	}})
}

func newTransport(d *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			raw, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &wideConn{Conn: raw, closed: make(chan struct{})}, nil
		},
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		ExpectContinueTimeout:  continueTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    32,
		WriteBufferSize:        32 << 10, // holds most tickets as a whole
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true,
	}
}

// wideConn is a connection that takes a body in large pieces unless TLS is spoken on it
// (net/http hands a body to a connection's ReadFrom), gives up on a peer that takes nothing for
// writeTimeout, and lets the answer of a peer that hung up be read.
type wideConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

// pieces keeps the buffers of ended uploads.
var pieces = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

// ReadFrom writes all that r has. A short read is added to, since a source that
// comes over TLS gives at most 16 KiB at a time.
func (c *wideConn) ReadFrom(r io.Reader) (written int64, err error) {
	return copyPieces(c, func(piece []byte) (int, error) {
		n, err := io.ReadAtLeast(r, piece, enough)
		if err == io.ErrUnexpectedEOF && n > 0 { // ReadAtLeast's own
			err = io.EOF
		}
		return n, err
	})
}

// copyPieces writes to w what read returns, until io.EOF.
func copyPieces(w io.Writer, read func([]byte) (int, error)) (written int64, err error) {
	held := pieces.Get().(*[]byte)
	defer pieces.Put(held)
	for {
		n, readErr := read(*held)
		if n > 0 {
			m, err := w.Write((*held)[:n])
			written += int64(m)
			if err != nil {
				return written, err
			}
		}
		switch {
		case readErr == io.EOF: // a source's error may wrap it, and is not the end
			return written, nil
		case readErr != nil:
			return written, readErr
		}
	}
}

// Write writes p within writeTimeout.
func (c *wideConn) Write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.hungUp(err)
}

// hungUp delays a write error until the connection is closed. A server that refuses an
// upload answers and closes the connection while the body is still being sent. The write
// then fails with a broken pipe, which net/http would report in place of the answer with
// the reason. net/http closes the connection as soon as it has read the answer, or seen
// that there is none.
func (c *wideConn) hungUp(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	select {
	case <-c.closed:
	case <-time.After(5 * time.Second):
	}
	return err
}

// Close closes the connection.
func (c *wideConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
