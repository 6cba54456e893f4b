// Package simulator simulates TestFairy's file hosts and REST API, as net/http/httptest
// simulates a server: for tests, and for a bridge that runs before anyone has an account.
//
//   - Any path that ends in .jpg, .jpeg or .png is a picture of a phone, always the
//     same one for the same path.
//   - /generated/{bytes}.bin is a body of that size, generated as it is read.
//   - /api/1/ is the REST API, behind HTTP Basic.
//
// Files have an ETag and Last-Modified and support Range and If-Range. A test can find out
// what a path serves (SHA256), change it (Change) and break it (Inject).
//
// The package starts no listener and does not import httptest, which would add its flag to
// every command that links it: use httptest.NewServer(s.Handler()).
package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config configures a Server. The zero value is open to everyone.
type Config struct {
	// Account and APIKey are the HTTP Basic credentials of the REST API. If APIKey is
	// empty, any credentials are accepted, but not a request without.
	Account, APIKey string
	// RequireLogin redirects requests for files without credentials to a sign-in page.
	RequireLogin bool
	// Sunset, if set, is the end of the REST API that its response headers announce.
	Sunset time.Time
	// NewPlatform simulates Sauce Labs' Mobile App Distribution, which has only part of the
	// REST API: no list of feedbacks, and no webhook for them.
	NewPlatform bool
	// Signed, if set, is how long the URLs of screenshots in the list of feedbacks are
	// valid. Each listing signs them again.
	Signed time.Duration
	// Now is the clock of the signatures; the default is time.Now.
	Now func() time.Time
}

// Server is a simulated TestFairy. Its methods are safe for concurrent use.
type Server struct {
	config Config
	api    http.Handler

	mu       sync.Mutex
	faults   map[string][]*Fault
	editions map[string]int // number of changes, by path
	account  account
}

// New returns a Server without faults, webhooks or feedbacks.
func New(config Config) *Server {
	s := &Server{
		config:   config,
		faults:   map[string][]*Fault{},
		editions: map[string]int{},
		account:  account{webhooks: map[int]Webhook{}},
	}
	if s.config.Now == nil {
		s.config.Now = time.Now
	}
	s.api = s.apiHandler()
	return s
}

// Handler returns the handler of every path. Below a prefix it needs http.StripPrefix, so
// that files and faults have TestFairy's own paths.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault, ok := s.nextFault(r.URL.Path); ok {
			fault.serve(w, r, s.serve)
			return
		}
		s.serve(w, r)
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/1/"):
		s.api.ServeHTTP(w, r)
	case r.URL.Path == signInPath:
		serveSignInPage(w)
	default:
		s.serveFile(w, r)
	}
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f, ok := s.file(r.URL)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.expired(r.URL.Query()) {
		http.Error(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", http.StatusForbidden)
		return
	}
	if s.config.RequireLogin && !s.authorized(r) {
		http.Redirect(w, r, signInPath, http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, "", f.modified, f.content)
}

// file is what a path serves.
type file struct {
	contentType string
	etag        string // strong: changes with the content
	modified    time.Time
	content     io.ReadSeeker
}

func (s *Server) file(u *url.URL) (file, bool) {
	s.mu.Lock()
	edition := s.editions[u.Path]
	s.mu.Unlock()
	f := file{modified: time.Date(2026, time.January, 1, 0, 0, edition, 0, time.UTC)}
	seed := fmt.Sprintf("%s#%d", u.Path, edition)

	switch suffix := strings.ToLower(path.Ext(u.Path)); {
	case suffix == ".jpg" || suffix == ".jpeg":
		f.contentType, f.content = "image/jpeg", bytes.NewReader(picture(seed, encodeJPEG))
	case suffix == ".png":
		f.contentType, f.content = "image/png", bytes.NewReader(picture(seed, encodePNG))
	case isSessionLog(u):
		f.contentType, f.content = "text/plain; charset=utf-8", bytes.NewReader(sessionLog(seed))
	default:
		size, ok := generatedSize(u.Path)
		if !ok {
			return file{}, false
		}
		f.contentType, f.content = "application/octet-stream", newGenerated(size, edition)
	}
	f.etag = strconv.Quote(hexSum([]byte(seed))[:32])
	return f, true
}

// SHA256 returns the SHA-256 (hex) of the whole file at a path, or of the REST API's
// response for a session, and "" if there is nothing. The path may have a query. Faults do
// not change the result.
func (s *Server) SHA256(path string) string {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return ""
	}
	if answer, ok := sessionAnswer(u); ok {
		return hexSum(encode(answer))
	}
	f, ok := s.file(u)
	if !ok {
		return ""
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f.content); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Change changes the content of the file at a path, with its ETag and Last-Modified, as if
// it had been uploaded again.
func (s *Server) Change(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.editions[path]++
}

// maxPictures limits the cached pictures, of up to 20 KB each. They are cached because a
// test requests the same one many times, from many simulators.
const maxPictures = 64

var pictures = struct {
	sync.Mutex
	bySeed map[string][]byte
}{bySeed: map[string][]byte{}}

// picture returns the encoded picture of a seed.
func picture(seed string, encode func(seed string) []byte) []byte {
	pictures.Lock()
	encoded, ok := pictures.bySeed[seed]
	pictures.Unlock()
	if ok {
		return encoded
	}
	encoded = encode(seed) // outside the lock: the same seed gives the same bytes
	pictures.Lock()
	defer pictures.Unlock()
	if len(pictures.bySeed) >= maxPictures {
		clear(pictures.bySeed)
	}
	pictures.bySeed[seed] = encoded
	return encoded
}

const signInPath = "/login/"

func serveSignInPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The client may be gone.
	_, _ = io.WriteString(w, `<!DOCTYPE html>
<html lang="en"><head><title>Sign in</title></head>
<body><h1>Sign in</h1><form method="post"><input name="email"><input name="password" type="password"></form></body></html>
`)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
