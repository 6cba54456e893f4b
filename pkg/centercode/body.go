package centercode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

var errStopped = errors.New("upload is over")

// uploadBody is a form with one file: the part before the file, the file as its source
// delivers it, and the part after it. Reads go straight to the source, in any size; nothing
// is copied or buffered here.
//
// net/http may read a body after it has returned an answer, and may close it at any time.
// So Close does not touch the source; stop ends the reading.
type uploadBody struct {
	source io.Reader
	size   int64 // the size of the source; -1 if unknown

	mu      sync.Mutex // held while the source is read
	head    []byte     // not yet read
	tail    []byte     // not yet read
	touched bool       // something was read
	opened  bool       // something was read from the source
	drained bool       // the source has ended at its expected size
	ended   bool       // the end of the form was read as well
	latest  *handle    // for the latest request
	written int64      // bytes read from the source
	err     error      // the source's error
	stopped bool
}

// length returns the form's Content-Length, -1 if unknown.
func (b *uploadBody) length() int64 {
	if b.size < 0 {
		return -1
	}
	return int64(len(b.head)) + b.size + int64(len(b.tail))
}

// Read reads the form.
func (b *uploadBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read(p)
}

// WriteTo writes the form in large pieces. net/http uses it for chunked encoding, when the
// length is unknown.
func (b *uploadBody) WriteTo(w io.Writer) (written int64, err error) {
	return copyPieces(w, b.Read)
}

func (b *uploadBody) read(p []byte) (int, error) {
	switch {
	case b.handedOut():
		b.ended = true
		return 0, io.EOF
	case b.stopped:
		return 0, errStopped
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	b.touched = true
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if !b.drained {
		if n, err := b.readSource(p); n > 0 || err != nil {
			return n, err
		}
	}
	n := copy(p, b.tail)
	b.tail = b.tail[n:]
	return n, nil
}

// handedOut reports whether the whole form was read. Some of it may still be in the
// connection's buffers.
func (b *uploadBody) handedOut() bool { return b.drained && len(b.tail) == 0 }

// readSource returns 0 bytes and no error at the end of a source of the expected size. Only
// the source's own EOF counts as its end: the closing boundary must not turn part of a file
// into a complete one.
func (b *uploadBody) readSource(p []byte) (int, error) {
	b.opened = true
	for range 100 {
		if left := b.size - b.written; b.size >= 0 && int64(len(p)) > left {
			p = p[:max(left, 1)] // one byte too many, to see whether the source ends
		}
		n, err := b.source.Read(p)
		b.written += int64(n)
		if b.size >= 0 && b.written > b.size {
			b.written = b.size
			b.err = fmt.Errorf("longer than its stated length of %d bytes", b.size)
			return 0, b.err
		}
		switch {
		case err == io.EOF && b.size >= 0 && b.written < b.size:
			b.err = fmt.Errorf("ended after %d of %d bytes: %w", b.written, b.size, io.ErrUnexpectedEOF)
		case err == io.EOF:
			b.drained = true
		case err != nil:
			b.err = err
		case n == 0:
			continue
		}
		return n, b.err
	}
	b.err = io.ErrNoProgress
	return 0, b.err
}

// again returns the body for another request if nothing of it was read. Otherwise it
// returns a body whose Read fails. The error must not come earlier, because net/http calls
// GetBody even before it asks whether to follow a redirect.
func (b *uploadBody) again() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.touched {
		return io.NopCloser(goneBody{}), nil
	}
	return b.newHandle(), nil
}

type goneBody struct{}

func (goneBody) Read([]byte) (int, error) {
	return 0, errors.New("the connection broke and the file cannot be read again")
}

// handle is the body of one request. net/http closes it when it has stopped writing; the
// source, which belongs to the caller, stays open.
type handle struct {
	*uploadBody
	once   sync.Once
	closed chan struct{}
}

// newHandle returns the body for the next request. b.mu must be held.
func (b *uploadBody) newHandle() *handle {
	b.latest = &handle{uploadBody: b, closed: make(chan struct{})}
	return b.latest
}

// Close signals finish that the writing has ended.
func (h *handle) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// endOn stops the body and cancels its request once giveUp is closed, unless all of
// the form has been read by then. The function that it returns ends the watch.
func (b *uploadBody) endOn(giveUp <-chan struct{}, cancel func()) (end func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-giveUp:
			b.mu.Lock()
			defer b.mu.Unlock()
			if !b.handedOut() {
				b.stopped = true
				cancel()
			}
		case <-over:
		}
	}()
	return func() { close(over) }
}

// If the form was read to its end, finish waits until net/http has written it or given up:
// the last piece may still be on its way to the connection.
func (b *uploadBody) finish(ctx context.Context) {
	b.mu.Lock()
	waits, h := b.handedOut() && !b.ended, b.latest
	b.mu.Unlock()
	if waits {
		select {
		case <-h.closed:
		case <-ctx.Done():
		}
	}
}

// stop waits for a running read and prevents all others.
func (b *uploadBody) stop() outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	return outcome{written: b.written, opened: b.opened, handedOut: b.handedOut(), sent: b.ended, source: b.err}
}

// outcome is how far an upload got.
type outcome struct {
	written int64 // bytes of the file that were read
	opened  bool  // the file's source was read
	// handedOut means that the form was read to its end; before that, no server can have
	// the file.
	handedOut bool
	// sent means that the form may have been written to its end. net/http reads on after
	// the last byte is written, and not before, to check that there is no more
	// (transferWriter.writeBody); and a request that fails without an answer returns only
	// when all writing has ended (persistConn.mapRoundTripError).
	sent   bool
	source error // the source's error
}
