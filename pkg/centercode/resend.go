package centercode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"fairbridge/pkg/internal/loopback"
)

const (
	// maxPeek is how much of a file of unknown size is read to find its end: a file up to
	// that size is sent with its length.
	maxPeek = 1 << 20
	// maxMoves is how many redirects an upload follows.
	maxMoves = 5
)

// content is the file of an upload: its source, and how to open it again.
type content struct {
	body   io.Reader
	size   int64 // -1 if not known
	used   bool  // some of body was read
	seeker io.Seeker
	reopen func(context.Context) (io.ReadCloser, int64, error)
	closes []io.Closer
}

// peek finds the size of a small file. Its error is the source's.
func (f *content) peek() error {
	if f.size >= 0 {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(f.body, maxPeek+1))
	if err != nil {
		return err
	}
	whole := bytes.NewReader(head)
	if len(head) <= maxPeek {
		f.body, f.seeker, f.size = whole, whole, int64(len(head))
		return nil
	}
	f.body = io.MultiReader(whole, f.body)
	return nil
}

// errGone means that a file cannot be read again.
var errGone = errors.New("part of the file was read, and it cannot be read again")

// rewind makes the file readable from its first byte again. An error other than errGone is
// the source's.
func (f *content) rewind(ctx context.Context) error {
	switch {
	case !f.used:
		return nil
	case f.seeker != nil:
		_, err := f.seeker.Seek(0, io.SeekStart)
		return err
	case f.reopen == nil:
		return errGone
	}
	body, size, err := f.reopen(ctx)
	if err != nil {
		return err
	}
	f.close() // the previous source
	f.body, f.size, f.used, f.closes = body, size, false, []io.Closer{body}
	return f.peek()
}

// spool copies the file into a temporary one, which also gives its size.
func (f *content) spool(dir string) (read, write error) {
	temp, err := os.CreateTemp(dir, "fairbridge-upload-*")
	if err != nil {
		return nil, err
	}
	f.closes = append(f.closes, temporary{temp})
	// Where the system allows it, the file loses its name now: a process that is killed
	// leaves nothing behind.
	_ = os.Remove(temp.Name())
	source := &watched{Reader: f.body}
	size, err := io.Copy(temp, source)
	if source.err != nil {
		return source.err, nil
	}
	if err == nil {
		_, err = temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, err
	}
	f.body, f.seeker, f.size, f.used = temp, temp, size, false
	return nil, nil
}

func (f *content) close() {
	for _, c := range f.closes {
		_ = c.Close() // it was only read, or is thrown away
	}
	f.closes = nil
}

// temporary is a file that is removed when it is closed.
type temporary struct{ *os.File }

func (t temporary) Close() error {
	err := t.File.Close()
	_ = os.Remove(t.Name()) // already removed, except on Windows
	return err
}

// watched records a reader's error, except EOF.
type watched struct {
	io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// changeFor returns what has to change before the file is sent again, nil if the answer
// stands. resp belongs to a request that did nothing.
func (u *upload) changeFor(resp *http.Response, req *http.Request) func(context.Context) error {
	switch status := resp.StatusCode; {
	case status == http.StatusExpectationFailed && req.Header.Get("Expect") != "":
		return func(ctx context.Context) error {
			u.asks = false
			return u.rewind(ctx, status)
		}
	case status == http.StatusLengthRequired && u.file.size < 0:
		return func(ctx context.Context) error {
			if err := u.rewind(ctx, status); err != nil || u.file.size >= 0 {
				return err
			}
			read, write := u.file.spool(u.client.tempDir)
			switch {
			case read != nil:
				return sourceFault(ctx, read)
			case write != nil:
				return &Error{Op: u.call.op, Request: u.call.request(), Status: status, Description: noLength,
					Err: fmt.Errorf("copy the file into a temporary one: %w", write)}
			}
			return nil
		}
	case (status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect) && u.moves < maxMoves:
		to, by, err := u.movedTo(resp, req)
		if err != nil {
			return nil
		}
		return func(ctx context.Context) error {
			u.target, u.by = to, by
			u.moves++
			return u.rewind(ctx, status)
		}
	}
	return nil
}

const noLength = "the source gave no length, and Centercode accepts no file without one"

// rewind prepares the file for another request after an answer with that status.
func (u *upload) rewind(ctx context.Context, status int) error {
	err := u.file.rewind(ctx)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errGone) {
		return sourceFault(ctx, err)
	}
	e := &Error{Op: u.call.op, Request: u.call.request(), Status: status, Err: err}
	if status == http.StatusLengthRequired {
		e.Description = noLength
	}
	return e
}

// movedTo returns where an answer redirects the file, and the client for it: to an https
// URL, or one that is as secure as the base URL.
func (u *upload) movedTo(resp *http.Response, req *http.Request) (to *url.URL, by *http.Client, err error) {
	to, err = resp.Location() // relative to the request's URL
	if err != nil {
		return nil, nil, err
	}
	within := loopback.IsHost(req.URL.Hostname()) && loopback.IsHost(to.Hostname())
	by = u.client.others
	if within || u.client.isOwn(to) {
		by = u.client.http
	}
	if by == nil || to.Host == "" || to.User != nil || to.Scheme != "https" && !(req.URL.Scheme == "http" && to.Scheme == "http" && within) {
		return nil, nil, errors.New("not a place for a file")
	}
	to.Fragment = ""
	if query := to.Query(); query.Has("apiKey") { // the answer has repeated it
		query.Del("apiKey")
		to.RawQuery = query.Encode()
	}
	return to, by, nil
}
