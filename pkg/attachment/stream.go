package attachment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// How often a file is resumed at most. The five delays of at most 0.2, 0.4, 0.8, 1.6
	// and 3.2 s, each with full jitter, add up to 6.2 s at most.
	maxResumes  = 5
	firstWait   = 200 * time.Millisecond
	longestWait = 10 * time.Second // from Retry-After; a longer one is left to the queue

	// A source makes progress if it sends this many bytes within the idle timeout.
	// Otherwise a source that sends a byte now and then would occupy a worker until its
	// deadline.
	progressBytes = 16 << 10
)

// stream is a file's bytes, over as many answers as necessary. It ends with io.EOF only if
// the file is complete.
type stream struct {
	// ctx is the context passed to Open: it applies to the file's whole life.
	ctx      context.Context
	fetcher  *Fetcher
	request  OpenRequest
	named    target // request's URL
	at       checkpoint
	resumes  int
	err      error // what ended the stream
	idle     idleTimer
	progress int

	mu     sync.Mutex // guards what Close releases, possibly during a Read
	answer *answer
	closed bool
}

// answer is one response whose body is being read. It has a context of its own, so that a
// timeout ends the response and not the file.
type answer struct {
	*http.Response
	target target
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (a *answer) close() {
	a.cancel(errClosed)
	a.Body.Close()
}

// ask sends the request, from the beginning or from a checkpoint.
func (s *stream) ask(from *checkpoint) (*answer, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	resp, t, err := s.fetcher.get(ctx, s.request, s.named, from)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &answer{Response: resp, target: t, ctx: ctx, cancel: cancel}, nil
}

// use makes a the current answer, unless the stream has been closed.
func (s *stream) use(a *answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		a.close()
		return errClosed
	}
	if s.answer != nil {
		s.answer.close()
	}
	s.answer = a
	s.idle.start(s.fetcher.idle, a.cancel)
	s.progress = 0
	return nil
}

// Read passes p to the answer's body; no byte is copied on the way. It resumes a source
// that breaks off.
func (s *stream) Read(p []byte) (int, error) {
	for s.err == nil && len(p) > 0 {
		n, err := s.readAnswer(p[:min(int64(len(p)), s.room())])
		s.at.offset += int64(n)
		switch {
		case s.at.offset > s.limit():
			s.err = s.overrun()
		case err == nil:
		case err == io.EOF && (s.at.size < 0 || s.at.offset == s.at.size):
			s.err = io.EOF
		default:
			s.err = s.resume(err)
		}
		if n > 0 {
			return n, s.err
		}
	}
	return 0, s.err
}

// limit is the position at which the file must have ended.
func (s *stream) limit() int64 {
	if s.at.size >= 0 {
		return s.at.size
	}
	return s.fetcher.maxBytes
}

// room is how much may be read at once: up to one byte past the limit, which shows whether
// the file ends there.
func (s *stream) room() int64 { return s.limit() - s.at.offset + 1 }

func (s *stream) overrun() error {
	if s.at.size >= 0 {
		return temporary(reasonOverrun, "get %s: more than the %d bytes declared", s.answer.target, s.at.size)
	}
	return tooLarge(s.answer.target, s.fetcher.maxBytes)
}

// readAnswer is one Read with the idle timer, which runs only during the read: a slow
// upload is not the source's fault.
func (s *stream) readAnswer(p []byte) (int, error) {
	s.idle.resume()
	n, err := s.answer.Body.Read(p)
	s.idle.pause()
	if s.progress += n; s.progress >= progressBytes {
		s.progress = 0
		s.idle.reset()
	}
	return n, err
}

// resume replaces a broken answer by one that starts where it broke off. If that is
// impossible, it returns the error that ends the stream.
func (s *stream) resume(broken error) error {
	if s.isClosed() {
		return errClosed
	}
	cause := s.broken(broken)
	for s.resumes < maxResumes && s.at.resumable() {
		wait := s.fetcher.jitter(firstWait << s.resumes)
		if cause.RetryAfter > longestWait {
			return cause
		}
		if err := s.fetcher.sleep(s.ctx, max(wait, cause.RetryAfter)); err != nil {
			return &Error{Reason: cause.Reason, Err: errors.Join(err, cause.Err), cutOff: cause.cutOff}
		}
		s.resumes++
		next, err := s.ask(&s.at)
		if err != nil {
			cause = s.broken(err)
			if cause.Permanent {
				return cause
			}
			continue
		}
		if worthAnother(next.StatusCode) {
			cause = statusError(next.Response, next.target)
			next.close()
			continue
		}
		if err := s.continues(next); err != nil {
			next.close()
			return err
		}
		return s.use(next)
	}
	return cause
}

// broken returns the error for an answer that ended too soon.
func (s *stream) broken(err error) *Error {
	e, already := errors.AsType[*Error](err)
	if already {
		return e
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	e = transportError(s.answer.ctx, s.answer.target, err)
	if e.Reason == reasonUnreachable {
		e.Reason = reasonBroken
	}
	e.Err = fmt.Errorf("after %d of %d bytes and %d resumes: %w", s.at.offset, s.at.size, s.resumes, e.Err)
	return e
}

// continues checks the answer to a resume. No error here is permanent: the next attempt
// starts at the file's beginning.
func (s *stream) continues(a *answer) error {
	if a.StatusCode >= 400 && a.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		// A signed URL that expired midway may have a new signature in the next attempt.
		e := statusError(a.Response, a.target)
		e.Permanent = false
		return e
	}
	if err := s.at.continues(a.Response); err != nil {
		return temporary(reasonChanged, "resume %s: %w", a.target, err)
	}
	if s.at.size > s.fetcher.maxBytes {
		return tooLarge(a.target, s.fetcher.maxBytes)
	}
	return nil
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close ends the stream, even while a Read is waiting.
func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.answer != nil {
		s.answer.close()
	}
	return nil
}

func worthAnother(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

func tooLarge(t target, limit int64) *Error {
	return permanent(reasonTooLarge, "get %s: more than %d bytes", t, limit)
}
