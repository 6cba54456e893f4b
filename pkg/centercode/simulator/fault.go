package simulator

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Op is an operation of the API.
type Op string

// The operations. An empty Op in a [Fault] matches all of them.
const (
	OpCreate  Op = "create"  // a ticket
	OpFile    Op = "file"    // a file for a ticket
	OpPackage Op = "package" // a page of a data package
)

// Call is a request as a fault's Match sees it. Fields that do not belong to its operation
// are empty.
type Call struct {
	Op       Op
	Project  string
	Source   string         // of OpCreate
	Fields   map[string]any // of OpCreate; nil if the request is not an object
	TicketID string         // of OpFile
	Element  string         // of OpFile
	Package  string         // of OpPackage
	Request  *http.Request  // its body must not be read
}

// Body is a kind of body that replaces the real one.
type Body string

// The bodies.
const (
	BodyHTML      Body = "html"      // a web page
	BodyEmpty     Body = "empty"     // nothing
	BodyTruncated Body = "truncated" // half of the declared length, then the connection is closed
	BodyEndless   Body = "endless"   // JSON that does not end before the client closes the connection
)

// Fault makes a request fail. There are two forms: the request is not carried out, or, with
// After, it is carried out and only its response is damaged. Without Drop, Status, Body and
// Answer a fault only delays.
type Fault struct {
	Op Op // the operation; "" is any
	// Project and Source restrict the fault to their requests; "" is any.
	Project, Source string
	Match           func(Call) bool // selects among those requests; nil is all
	Skip            int             // how many matching requests pass first
	Times           int             // how many requests fail; 0 is one, or, with For, all; below 0 is all
	For             time.Duration   // how long the fault lasts from its first use; 0 is no limit

	After bool // the request is carried out first

	Delay      time.Duration // before the response, or before the connection is closed
	ReadFirst  int64         // how much of the request's body is read first, in bytes; not with After
	Drop       bool          // close the connection without a response
	Status     int           // of the response
	RetryAfter string        // the response's Retry-After: seconds or an HTTP date
	Location   string        // the response's Location: the target of a redirect
	Body       Body          // the response's body; "" is an error in Centercode's form
	Answer     string        // the response's body, verbatim, in place of Body; its status is 200 unless Status is set
	HangUp     bool          // close the connection after the response, even if the request was not read completely
}

type plannedFault struct {
	Fault
	until time.Time // zero until its first use
}

// Inject adds faults to the queue. If several match a request, the first is used.
func (s *Simulator) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
			if f.For > 0 {
				f.Times = -1
			}
		}
		s.faults = append(s.faults, &plannedFault{Fault: f})
	}
}

// Heal removes all faults.
func (s *Simulator) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Faults returns the faults that are not yet used up.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireFaults()
	faults := make([]Fault, 0, len(s.faults))
	for _, p := range s.faults {
		faults = append(faults, p.Fault)
	}
	return faults
}

// expireFaults removes expired faults. s.mu must be held.
func (s *Simulator) expireFaults() {
	now := s.config.Now()
	left := s.faults[:0]
	for _, p := range s.faults {
		if p.Times != 0 && (p.until.IsZero() || now.Before(p.until)) {
			left = append(left, p)
		}
	}
	clear(s.faults[len(left):])
	s.faults = left
}

// nextFault returns the fault for a call. Match is called under the lock, so that two
// concurrent requests cannot both take a fault's last use.
func (s *Simulator) nextFault(c Call) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireFaults()
	for _, p := range s.faults {
		if p.Op != "" && p.Op != c.Op || p.Project != "" && p.Project != c.Project || p.Source != "" && p.Source != c.Source || p.Match != nil && !p.Match(c) {
			continue
		}
		if p.Skip > 0 {
			p.Skip--
			continue
		}
		if p.Times > 0 {
			p.Times--
		}
		if p.For > 0 && p.until.IsZero() {
			p.until = s.config.Now().Add(p.For)
		}
		s.requests.Faults++
		return p.Fault, true
	}
	return Fault{}, false
}

// carryOut responds with the result of do, or as the next fault demands.
func (s *Simulator) carryOut(w http.ResponseWriter, c Call, do func() reply) {
	f, struck := s.nextFault(c)
	if !struck {
		do().write(w)
		return
	}
	answers := f.Drop || f.Status != 0 || f.Body != "" || f.Answer != ""
	var a reply
	switch {
	case f.After:
		a = do()
		s.wait(c.Request, f.Delay)
	default:
		_, _ = io.CopyN(io.Discard, c.Request.Body, f.ReadFirst) // an error is harmless
		s.wait(c.Request, f.Delay)
		if !answers {
			a = do()
		}
	}
	switch {
	case !answers:
		a.write(w)
	case f.Drop:
		drop(w)
	case f.HangUp:
		// Neither error matters: a recorder has no connection to hang up, and the client
		// may be gone.
		_ = http.NewResponseController(w).EnableFullDuplex() // do not read on
		s.writeFault(w, c.Request, f, a)
		_ = http.NewResponseController(w).Flush()
		drop(w)
	default:
		s.writeFault(w, c.Request, f, a)
	}
}

// wait waits for delay. It returns early when the client leaves or the simulator is closed.
func (s *Simulator) wait(r *http.Request, delay time.Duration) {
	if delay <= 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.closed:
	}
}

// drop closes the connection without a response.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // not a connection of net/http's server: a recorder, HTTP/2
		return
	}
	conn.Close()
}

const errorPage = `<!DOCTYPE html>
<html><head><title>Service error</title><style>body{font-family:sans-serif}</style></head>
<body><h1>Service error</h1><p>The gateway could not complete your request.</p></body></html>
`

// writeFault sends a damaged response. a is the real one if the request was carried out,
// otherwise empty.
func (s *Simulator) writeFault(w http.ResponseWriter, r *http.Request, f Fault, a reply) {
	if f.Status != 0 {
		a = refusal(f.Status, "The server was asked to fail.")
	} else if a.status == 0 || f.Answer != "" {
		a.status = http.StatusOK
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	if f.RetryAfter != "" {
		a.header.Set("Retry-After", f.RetryAfter)
	}
	if f.Location != "" {
		a.header.Set("Location", f.Location)
	}
	if f.Answer != "" {
		a.body = []byte(f.Answer)
	}
	switch f.Body {
	case BodyHTML:
		a.contentType, a.body = "text/html; charset=utf-8", []byte(errorPage)
	case BodyEmpty:
		a.body = nil
	case BodyTruncated:
		if len(a.body) == 0 {
			a.body = []byte(`{"id": "0", "files": {}}`)
		}
		a.writeHead(w, len(a.body))
		_, _ = w.Write(a.body[:len(a.body)/2]) // net/http closes a connection on which bytes are missing
		return
	case BodyEndless:
		a.writeHead(w, -1)
		s.writeEndless(w, r)
		return
	}
	a.write(w)
}

func (s *Simulator) writeEndless(w io.Writer, r *http.Request) {
	if _, err := io.WriteString(w, `{"padding": "`); err != nil {
		return
	}
	padding := strings.Repeat("0", 32<<10)
	for {
		if _, err := io.WriteString(w, padding); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		default:
		}
	}
}
