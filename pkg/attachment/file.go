package attachment

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// File is an open attachment, and its stream. Read returns io.EOF only after the whole
// file: as many bytes as were declared, and at most the limit. It is for one goroutine;
// only Close may be called from another.
type File struct {
	// Name is sanitised (see CleanName) and never empty.
	Name string
	// ContentType is the source's or, if that is missing or generic, detected from the
	// content.
	ContentType string
	// Size is in bytes; -1 if the source does not state it, or sends the file compressed.
	Size int64
	// Body is the file, or what follows its head. Closing it ends a read that waits.
	Body io.ReadCloser

	head []byte // read to detect the type, not yet returned
}

// Open opens the file that r describes. ctx applies to the file until it is closed. The
// error is an *Error.
func (f *Fetcher) Open(ctx context.Context, r OpenRequest) (*File, error) {
	named, err := f.policy.target(r.URL)
	if err != nil {
		return nil, err
	}
	s := &stream{ctx: ctx, fetcher: f, request: r, named: named}
	file, err := s.open()
	if err != nil {
		s.Close()
		return nil, err
	}
	return file, nil
}

// open requests the file and checks its head.
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
		return nil, s.refused(a)
	}
	if s.at.encoding != "" && s.at.encoding != encodingGzip {
		return nil, permanent(reasonEncoded, "get %s: content encoding %q", a.target, s.at.encoding)
	}
	if s.at.size > s.fetcher.maxBytes {
		return nil, tooLarge(a.target, s.fetcher.maxBytes)
	}
	file := &File{Size: s.at.size, Body: s}
	header := a.Header // reading the head may need another answer
	_, media := declaredType(header)
	if file.head, err = readHead(s); err != nil {
		return nil, err
	}
	zipped := s.at.encoding == encodingGzip && isZipped(media, file.head)
	if zipped {
		if file.Body, err = gunzip(s, file.head); err != nil {
			return nil, err
		}
		if file.head, err = readHead(file.Body); err != nil {
			return nil, err
		}
		file.Size = -1
	}
	kind, reason := judge(s.request.Want, s.named.url, header, file.head)
	if reason != "" {
		e := permanent(reason, "get %s: content type %q", a.target, header.Get("Content-Type"))
		e.SignIn = reason == reasonWebPage
		return nil, e
	}
	file.Name, file.ContentType = fileName(s.named.url, header, kind), kind
	if zipped {
		file.Name = strings.TrimSuffix(file.Name, ".gz")
	}
	return file, nil
}

// readHead reads what a file's type is detected from. A shorter file must have ended
// properly: a source that broke off is an error, never a short file.
func readHead(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, sniffBytes))
}

// Read returns the file's next bytes, straight from the network into p. The error is io.EOF
// or an *Error; after Close it may be neither.
func (f *File) Read(p []byte) (int, error) {
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	return f.Body.Read(p)
}

// Close releases the connection, even while a Read is waiting, and discards what was not
// read.
func (f *File) Close() error { return f.Body.Close() }
