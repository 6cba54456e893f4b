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

// policy lets a page load what this server has, send forms to it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is what a form may have: a payload, and how it is escaped.
const maxForm = 4 << 20

// formWithin is how long a form may take to come.
const formWithin = time.Minute

// page answers a request, or says why it cannot.
type page func(http.ResponseWriter, *http.Request) error

// failure is an error with the HTTP status that it is answered with, and a page that
// helps.
type failure struct {
	Status int
	Text   string
	// Back is where to go from there; "" for the first page.
	Back string
}

// Error implements error.
func (f *failure) Error() string { return f.Text }

// protected keeps others' pages and names away from all that there is.
func (s *Console) protected(next http.Handler) http.Handler {
	// Browsers say with each POST where it comes from.
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
		// With no-referrer, some browsers would not say where a form comes from.
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
			// Not the server's ReadTimeout: it would also end the streams of news, and
			// pages that a stack is read for.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formWithin)) // each connection has one
		}
		inner.ServeHTTP(w, r)
	})
}

// hostKnown says whether a request was meant for this console: a name that somebody
// else has let point here is none of ours. A plain address is nobody's name.
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

// entered asks who has not been let in for a link or the password.
func (s *Console) entered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.access.knows(r) {
			s.askToEnter(w, r, http.StatusUnauthorized, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// changes is a page that changes something, and is refused where that must not be.
func (s *Console) changes(next page) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.ReadOnly {
			return &failure{Status: http.StatusForbidden, Text: "This console only shows: it was started with --read-only."}
		}
		return next(w, r)
	}
}

func (s *Console) serve(next page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := next(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the browser is gone
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

// entering is what the page that lets in says.
type entering struct {
	Problem  string
	Password bool
	Command  string
	Insecure bool
}

func (s *Console) askToEnter(w http.ResponseWriter, r *http.Request, status int, problem string) {
	e := entering{Problem: problem, Password: s.access.password != nil, Command: s.Home.Command("console --open"), Insecure: !s.onLoopback() && !secure(r)}
	if err := s.renderBare(w, status, "enter.html", "Come in", e); err != nil {
		s.Log.Warn("the console could not write a page", "err", err)
	}
}

func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// enter takes a link. What it answers leads on by itself: a redirect would count as
// coming from wherever the link was, and the new cookie would stay behind.
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
	if err := s.renderBare(w, http.StatusOK, "entered.html", "Come in", nil); err != nil {
		s.Log.Warn("the console could not write a page", "err", err)
	}
}

func (s *Console) leave(w http.ResponseWriter, r *http.Request) error {
	s.access.end(w, r)
	http.Redirect(w, r, "/enter", http.StatusSeeOther)
	return nil
}
