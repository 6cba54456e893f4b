package simulator

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"fairbridge/pkg/internal/sleep"
)

// Fault damages the responses of a path. Delay combines with everything; Drop, NoLength,
// LengthError, NoRange, NoValidators and BytesPerSecond combine with each other.
type Fault struct {
	// Times is the number of requests that fail; 0 is all.
	Times int
	// Delay is the time until the response begins.
	Delay time.Duration
	// Status, if not 0, is sent instead of the file, with Header and a line of text. With a
	// Location in Header it is a redirect.
	Status int
	// Header is added to the response; it combines with every other fault.
	Header http.Header
	// SignIn sends a sign-in page with status 200 instead of the file.
	SignIn bool
	// Drop closes the connection after DropAfter bytes of the response's body, or, if that
	// is 0, before the response's first byte.
	Drop      bool
	DropAfter int64
	// NoLength omits Content-Length: the body is chunked.
	NoLength bool
	// LengthError is added to the Content-Length. Below 0 the body is cut at the declared
	// length; above 0 it ends early.
	LengthError int64
	// NoRange ignores Range: the response is 200 with the whole file.
	NoRange bool
	// NoValidators omits ETag and Last-Modified.
	NoValidators bool
	// BytesPerSecond, if not 0, is the speed of the body.
	BytesPerSecond int64
}

// Inject makes a path fail. The faults of a path are used in the order in which they were
// injected, each Times times.
func (s *Server) Inject(path string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = append(s.faults[path], &fault)
}

// Heal removes all faults from a path.
func (s *Server) Heal(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, path)
}

// nextFault uses the path's first fault once.
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

// serve responds to r as next would, with the fault applied.
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

// dropConnection closes the current connection. The panic is net/http's documented way to
// do that; its server recovers it.
func dropConnection() {
	panic(http.ErrAbortHandler)
}

// faultyWriter applies a fault to its handler's response.
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
		w.flush() // otherwise the server would buffer a small body and declare its length
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
			w.flush() // the bytes before the drop must arrive
			dropConnection()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (w *faultyWriter) flush() {
	// An error means that the client is gone, which the next write reports too.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
