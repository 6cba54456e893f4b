package attachment

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// File is an open attachment, and its stream. Read gives io.EOF only after the
// whole file: as many bytes as were declared, and at most the limit. It is for
// one goroutine; Close may be called from another.
type File struct {
	// Name is clean (see CleanName) and never empty.
	Name string
	// ContentType is the source's, or, where that says nothing, sniffed.
	ContentType string
	// Size is in bytes; -1 if the source did not say.
	Size int64

	head   []byte // read for sniffing, not yet given out
	stream *stream
}

// Open opens the file that r describes. ctx governs the file until it is
// closed. The error is an *Error.
func (f *Fetcher) Open(ctx context.Context, r OpenRequest) (*File, error) {
	s := &stream{ctx: ctx, fetcher: f, request: r}
	file, err := s.open()
	if err != nil {
		s.Close()
		return nil, err
	}
	return file, nil
}

// open asks for the file and looks at its head.
func (s *stream) open() (*File, error) {
	a, err := s.ask(nil)
	if err != nil {
		return nil, err
	}
	s.at = newCheckpoint(a.Response)
	if err := s.use(a); err != nil {
		return nil, err
	}
	if a.StatusCode != http.StatusOK {
		e := statusError(a.Response, a.target)
		if s.request.Auth != nil && e.Status == http.StatusUnauthorized {
			// The key is wrong, not the file: it may be mended.
			e.Permanent = false
		}
		return nil, e
	}
	if encoding := contentEncoding(a.Header); encoding != "" {
		return nil, permanent(reasonEncoded, "get %s: content encoding %q", a.target, encoding)
	}
	if s.at.size > s.fetcher.maxBytes {
		return nil, tooLarge(a.target, s.fetcher.maxBytes)
	}
	size, header, target := s.at.size, a.Header, a.target // the head may take another answer
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(s, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	kind, reason := judge(s.request, header, head)
	if reason != "" {
		e := permanent(reason, "get %s: content type %q", target, header.Get("Content-Type"))
		e.SignIn = reason == reasonWebPage
		return nil, e
	}
	return &File{
		Name:        fileName(s.request.URL, header, kind),
		ContentType: kind,
		Size:        size,
		head:        head,
		stream:      s,
	}, nil
}

// Read gives out the file's next bytes, straight from the network into p. The
// error is io.EOF or an *Error; after Close it may be neither.
func (f *File) Read(p []byte) (int, error) {
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	return f.stream.Read(p)
}

// Close releases the connection, also under a Read that is waiting. It drops
// what was not read.
func (f *File) Close() error { return f.stream.Close() }
