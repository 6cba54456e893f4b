package console

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/internal/loopback"
)

// policy allows a page to load from this server and to send forms to it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the maximum size of a form: a payload with escapes.
const maxForm = 4 << 20

// formWithin is how long a form may take to arrive.
const formWithin = time.Minute

// page answers a request, or returns why it cannot.
type page func(http.ResponseWriter, *http.Request) error

// failure is an error with an HTTP status, and a page that helps.
type failure struct {
	Status int
	Text   string
	// Back is where to go from there; "" for the first page.
	Back string
}

// Error implements error.
func (f *failure) Error() string { return f.Text }

// protected refuses requests from other sites and for other host names.
func (s *Console) protected(next http.Handler) http.Handler {
	// Browsers send the origin of each POST.
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &failure{Status: http.StatusForbidden, Text: "This request came from another site, and was refused."})
	}))
	inner := guarded.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// With no-referrer, some browsers would not send the origin of a form.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.hostKnown(r.Host) {
			http.Error(w, "This console is not known by that name. Name it with --host, or go to its address.", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.Method == http.MethodPost {
			// The server's ReadTimeout would also end event streams, and pages for which a
			// stack is read.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formWithin)) // each connection has one
		}
		inner.ServeHTTP(w, r)
	})
}

// hostKnown reports whether a request names this console, and not a host name that somebody
// else has pointed here (DNS rebinding). Plain addresses are allowed.
func (s *Console) hostKnown(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if loopback.IsHost(name) || slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return true
	}
	_, err = netip.ParseAddr(name)
	return err == nil && !s.onLoopback()
}

func (s *Console) onLoopback() bool {
	addr, err := netip.ParseAddrPort(s.listener.Addr().String())
	return err == nil && loopback.IsAddr(addr.Addr())
}

// changes wraps a page that changes something, which a read-only console refuses.
func (s *Console) changes(next page) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.ReadOnly {
			return &failure{Status: http.StatusForbidden, Text: "This console only shows: it was started with --read-only."}
		}
		return next(w, r)
	}
}

// serve answers with a page. It asks browsers that are not signed in for a link or the
// password.
func (s *Console) serve(next page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.access.knows(r) {
			s.askToEnter(w, r, http.StatusUnauthorized, "")
		} else if err := next(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the browser has gone
	}
	f, known := errors.AsType[*failure](err)
	if !known {
		f = &failure{Status: http.StatusBadGateway, Text: err.Error()}
		s.Log.Warn("the console could not answer", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if err := s.render(w, r, f.Status, "failure.html", "Not done", f); err != nil {
		s.Log.Warn("the console could not write a page", "err", err)
	}
}

func (s *Console) nothing(http.ResponseWriter, *http.Request) error {
	return &failure{Status: http.StatusNotFound, Text: "There is no such page."}
}

// entering is the sign-in page.
type entering struct {
	Problem  string
	Password bool
	Command  string // "" for a stack's, which shows its link where it runs
	Insecure bool
}

func (s *Console) askToEnter(w http.ResponseWriter, r *http.Request, status int, problem string) {
	e := entering{Problem: problem, Password: s.access.password != nil, Insecure: !s.onLoopback() && !secure(r)}
	if !s.Home.OnAWS() {
		e.Command = s.Home.Command("console --open")
	}
	s.renderBare(w, status, "enter.html", e)
}

func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// enter uses a link. Its response is a page that continues on its own: after a redirect,
// the request would count as coming from the link's site, and the new cookie would not be
// sent.
func (s *Console) enter(w http.ResponseWriter, r *http.Request) {
	switch once := r.URL.Query().Get("once"); {
	case once == "":
		s.askToEnter(w, r, http.StatusOK, "")
	case !s.access.takeLink(once):
		s.askToEnter(w, r, http.StatusUnauthorized, "This link has been used, or is too old.")
	default:
		s.letIn(w, r)
	}
}

func (s *Console) enterByPassword(w http.ResponseWriter, r *http.Request) {
	if err := s.access.checkPassword(r.PostFormValue("password")); err != nil {
		s.Log.Warn("the console: a password was refused", "from", r.RemoteAddr)
		s.askToEnter(w, r, http.StatusUnauthorized, capital(err.Error())+".")
		return
	}
	s.letIn(w, r)
}

func (s *Console) letIn(w http.ResponseWriter, r *http.Request) {
	s.access.begin(w, r)
	s.renderBare(w, http.StatusOK, "entered.html", nil)
}

func (s *Console) leave(w http.ResponseWriter, r *http.Request) error {
	s.access.end(w, r)
	http.Redirect(w, r, "/enter", http.StatusSeeOther)
	return nil
}
