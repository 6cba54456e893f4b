package centercode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

var errStopped = errors.New("upload is over")

// uploadBody is a form with one file: what stands before the file, the file as
// its source gives it, what stands behind it. Reads go straight to the source,
// as large as they come; nothing is copied or kept here.
//
// net/http may read a body after it has returned an answer, and closes it at
// any time. So to close it does nothing to the source, and stop ends the reading.
type uploadBody struct {
	source io.Reader
	size   int64 // what the source must give; -1 if not known

	mu      sync.Mutex // held while the source is read
	head    []byte     // not yet read
	tail    []byte     // not yet read
	touched bool       // something was read
	opened  bool       // something was read of the source
	drained bool       // the source has ended, as it should
	ended   bool       // the end of the form was read, too
	latest  *handle    // of the latest request
	written int64      // bytes of the source
	err     error      // what went wrong with the source
	stopped bool
}

// length is the form's Content-Length, -1 if not known.
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

// WriteTo writes the form in large pieces. net/http uses it when the length is
// not known, to make the chunks.
func (b *uploadBody) WriteTo(w io.Writer) (written int64, err error) {
	held := pieces.Get().(*[]byte)
	defer pieces.Put(held)
	for {
		n, readErr := b.Read(*held)
		if n > 0 {
			m, err := w.Write((*held)[:n])
			written += int64(m)
			if err != nil {
				return written, err
			}
		}
		if readErr == io.EOF {
			return written, nil
		}
		if readErr != nil {
			return written, readErr
		}
	}
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

// handedOut reports whether all of the form was read. It may still be on its way
// through the connection's buffers.
func (b *uploadBody) handedOut() bool { return b.drained && len(b.tail) == 0 }

// readSource returns 0 bytes and no error at the end of a source that was as
// long as it had to be. The end is only believed when the source itself says so:
// the closing boundary must not turn a part of a file into a file.
func (b *uploadBody) readSource(p []byte) (int, error) {
	b.opened = true
	for range 100 {
		if left := b.size - b.written; b.size >= 0 && int64(len(p)) > left {
			p = p[:max(left, 1)] // one byte more than there may be, to see the end
		}
		n, err := b.source.Read(p)
		b.written += int64(n)
		if b.size >= 0 && b.written > b.size {
			b.written = b.size
			b.err = fmt.Errorf("longer than the %d bytes it was said to have", b.size)
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

// again gives the body once more if nothing of it is gone. If something is, what
// it gives cannot be read; net/http asks for it even before it lets a redirect
// be declined, so the error must not come earlier.
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

// handle is the form as one request has it: net/http closes it when it writes no
// more of it. The source is left alone, which is the caller's.
type handle struct {
	*uploadBody
	once   sync.Once
	closed chan struct{}
}

// newHandle returns the form for the next request. b.mu must be held.
func (b *uploadBody) newHandle() *handle {
	b.latest = &handle{uploadBody: b, closed: make(chan struct{})}
	return b.latest
}

// Close tells finish that the writing is over.
func (h *handle) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// finish waits until net/http has written the form, or given it up, if its end
// was read: the last piece may still be on its way into the connection.
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

// stop waits for a read that is under way and ends all others.
func (b *uploadBody) stop() outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	return outcome{written: b.written, opened: b.opened, handedOut: b.handedOut(), sent: b.ended, source: b.err}
}

// outcome is how far an upload got.
type outcome struct {
	written int64 // bytes of the file that were read
	opened  bool  // the file's source was asked for some
	// handedOut says that the form was read to its end: before that, no server
	// can have the file.
	handedOut bool
	// sent says that it may have been written to its end. After its last byte is
	// written, and not before, net/http reads on to see that there is no more
	// (transferWriter.writeBody); and a request that fails without an answer
	// returns only when all writing has ended (persistConn.mapRoundTripError).
	sent   bool
	source error // what went wrong with the source
}
