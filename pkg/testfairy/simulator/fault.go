package simulator

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"fairbridge/pkg/internal/sleep"
)

// Fault is one way in which a path does not answer as it should. What can go
// together may be combined: Delay with everything; Drop, NoLength, LengthError,
// NoRange, NoValidators and BytesPerSecond with each other.
type Fault struct {
	// Times is the number of requests that meet the fault; 0 is every one.
	Times int
	// Delay is the time until the answer begins.
	Delay time.Duration
	// Status, if not 0, is answered instead of the file, with Header and a line
	// of text. With a Location in Header it makes a redirect.
	Status int
	// Header is set on the answer, whatever else the fault does.
	Header http.Header
	// SignIn answers 200 with a sign-in page instead of the file.
	SignIn bool
	// Drop breaks the connection after DropAfter bytes of the answer's body; at
	// 0, before the answer's first byte.
	Drop      bool
	DropAfter int64
	// NoLength leaves Content-Length out: the body comes chunked.
	NoLength bool
	// LengthError is added to the Content-Length. Below 0 the body is cut to
	// what was declared; above 0 it ends early.
	LengthError int64
	// NoRange ignores Range: the answer is 200 and the whole file.
	NoRange bool
	// NoValidators leaves out ETag and Last-Modified.
	NoValidators bool
	// BytesPerSecond, if not 0, is the speed of the body.
	BytesPerSecond int64
}

// Inject makes a path fail. Faults of one path come one after the other, in the
// order of the calls, each for its number of Times.
func (s *Server) Inject(path string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = append(s.faults[path], &fault)
}

// Heal takes all faults off a path.
func (s *Server) Heal(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, path)
}

// nextFault takes one use of the path's first fault.
func (s *Server) nextFault(path string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[path]
	if len(queue) == 0 {
		return Fault{}, false
	}
	fault := *queue[0]
	if fault.Times > 0 {
		if queue[0].Times--; queue[0].Times == 0 {
			s.faults[path] = queue[1:]
		}
	}
	return fault, true
}

// serve answers r as next would, but for the fault.
func (f Fault) serve(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if sleep.For(r.Context(), f.Delay) != nil {
		return
	}
	if f.Drop && f.DropAfter <= 0 {
		dropConnection()
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	switch {
	case f.Status != 0:
		http.Error(w, http.StatusText(f.Status), f.Status)
	case f.SignIn:
		serveSignInPage(w)
	default:
		if f.NoRange {
			r = r.Clone(r.Context())
			r.Header.Del("Range")
		}
		next(&faultyWriter{ResponseWriter: w, ctx: r.Context(), fault: f, left: -1}, r)
	}
}

// dropConnection breaks the connection that is being served. The panic is
// net/http's documented way to say so, and ends in its server.
func dropConnection() {
	panic(http.ErrAbortHandler)
}

// faultyWriter applies a fault to an answer that its handler means well.
type faultyWriter struct {
	http.ResponseWriter
	ctx         context.Context // the request's
	fault       Fault
	wroteHeader bool
	left        int64 // bytes until the declared length is reached; -1 without one
	written     int64
}

// WriteHeader implements http.ResponseWriter.
func (w *faultyWriter) WriteHeader(status int) {
	if w.wroteHeader {
		return
	}
	w.wroteHeader = true
	header := w.Header()
	if w.fault.NoValidators {
		header.Del("ETag")
		header.Del("Last-Modified")
	}
	if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		w.left = max(length+w.fault.LengthError, 0)
		header.Set("Content-Length", strconv.FormatInt(w.left, 10))
	}
	if w.fault.NoLength {
		w.left = -1
		header.Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
	if w.fault.NoLength {
		w.flush() // or the server counts a small body and declares its length after all
	}
}

// Write implements io.Writer.
func (w *faultyWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	for rest := p; len(rest) > 0; {
		piece := rest
		if w.fault.Drop {
			piece = piece[:min(int64(len(piece)), w.fault.DropAfter-w.written)]
		}
		if w.left >= 0 {
			piece = piece[:min(int64(len(piece)), w.left)]
			if len(piece) == 0 {
				return 0, io.ErrShortWrite // the declared length is reached
			}
		}
		if speed := w.fault.BytesPerSecond; speed > 0 {
			const beat = 20 * time.Millisecond
			piece = piece[:min(int64(len(piece)), max(speed*int64(beat)/int64(time.Second), 1))]
			if err := sleep.For(w.ctx, time.Duration(len(piece))*time.Second/time.Duration(speed)); err != nil {
				return 0, err
			}
		}
		n, err := w.ResponseWriter.Write(piece)
		if err != nil {
			return 0, err
		}
		w.written += int64(n)
		w.left -= min(int64(n), max(w.left, 0))
		if w.fault.BytesPerSecond > 0 {
			w.flush()
		}
		if w.fault.Drop && w.written == w.fault.DropAfter {
			w.flush() // what was written before is to arrive
			dropConnection()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (w *faultyWriter) flush() {
	// An error means that the client has gone: the next write says so, too.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
