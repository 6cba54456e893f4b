package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"golang.org/x/crypto/bcrypt"

	"fairbridge/pkg/home"
	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/secrets"
)

const (
	// linkLives is how long a link is valid, sessionLives how long an idle browser stays
	// signed in.
	linkLives    = 10 * time.Minute
	sessionLives = 12 * time.Hour
	// wrongs is how many wrong passwords are checked within wrongsIn.
	wrongs   = 10
	wrongsIn = 10 * time.Minute
	// shortestPassword is the minimum length of a password that can be tried over the
	// network.
	shortestPassword = 12
	keyBytes         = 32
)

// HashPassword returns the stored form of a password. An error says what a password has to
// be.
func HashPassword(password string) (string, error) {
	if len(password) < shortestPassword {
		return "", fmt.Errorf("the console's password needs %d characters or more", shortestPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost+1)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", errors.New("the console's password can have 72 bytes at most")
	}
	return string(hash), err
}

// access decides who may use the console.
type access struct {
	key      []byte // signs links
	cookie   string // its name
	password []byte // its hash
	now      func() time.Time

	checking sync.Mutex  // one password at a time
	wrong    []time.Time // passwords, the last ones

	mu sync.Mutex
	// used are the links that have been used, until they expire.
	used     map[[16]byte]time.Time
	sessions map[[sha256.Size]byte]time.Time
}

func newAccess(ctx context.Context, h *home.Home, address net.Addr, now func() time.Time) (*access, error) {
	a := &access{key: make([]byte, keyBytes), now: now, used: map[[16]byte]time.Time{}, sessions: map[[sha256.Size]byte]time.Time{}}
	_, _ = rand.Read(a.key) // it never fails
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, fmt.Errorf("the console's address: %w", err)
	}
	// Browsers keep cookies by host only, so each console of this machine uses another
	// name.
	a.cookie = "fairbridge_" + port
	kept, err := h.Secret(ctx, secrets.ConsolePassword)
	refused, isRefused := errors.AsType[smithy.APIError](err)
	switch {
	case isRefused && refused.ErrorCode() == "AccessDeniedException":
		return a, nil // links still work
	case errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrEmpty):
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("read the console's password: %w", err)
	}
	if _, err := bcrypt.Cost([]byte(kept)); err != nil { // an environment variable contains the password itself
		if kept, err = HashPassword(kept); err != nil {
			return nil, err
		}
	}
	a.password = []byte(kept)
	return a, nil
}

func (a *access) exportKey() string { return base64.RawURLEncoding.EncodeToString(a.key) }

// LinkTo returns a [Console.Link] of the console that runs in a folder, in any process of
// this user. The error wraps [fs.ErrNotExist] if there is none.
func LinkTo(folder string, now time.Time) (string, error) {
	note, err := home.ReadConsole(folder)
	if err != nil {
		return "", err
	}
	key, err := base64.RawURLEncoding.DecodeString(note.Key)
	if err != nil || len(key) != keyBytes {
		return "", fmt.Errorf("the note of the console in %s cannot be read: start it again", folder)
	}
	return "http://" + loopback.Reachable(note.Address) + linkPath(key, now), nil
}

// linkPath returns a path whose query contains its expiry, a random number, and the key's
// signature of both.
func linkPath(key []byte, now time.Time) string {
	said := binary.BigEndian.AppendUint64(nil, uint64(now.Add(linkLives).Unix()))
	said = append(said, make([]byte, 16)...)
	_, _ = rand.Read(said[8:])
	return "/enter?once=" + base64.RawURLEncoding.EncodeToString(append(said, sign(key, said)...))
}

func sign(key, said []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(said)
	return h.Sum(nil)
}

// takeLink reports whether a link is valid, and uses it up.
func (a *access) takeLink(once string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(once)
	if err != nil || len(raw) != 24+sha256.Size || !hmac.Equal(raw[24:], sign(a.key, raw[:24])) {
		return false
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)
	number := [16]byte(raw[8:24])
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.used, func(_ [16]byte, until time.Time) bool { return !a.now().Before(until) })
	if _, used := a.used[number]; used || !a.now().Before(expires) {
		return false
	}
	a.used[number] = expires
	return true
}

var (
	errWrongPassword = errors.New("this is not the password")
	errTooMany       = errors.New("too many wrong passwords; wait ten minutes, or come in by a link: fairbridge console --open")
)

// checkPassword is slow by design, and checks one password at a time.
func (a *access) checkPassword(password string) error {
	a.checking.Lock()
	defer a.checking.Unlock()
	now := a.now()
	for len(a.wrong) > 0 && now.Sub(a.wrong[0]) > wrongsIn {
		a.wrong = a.wrong[1:]
	}
	if len(a.wrong) >= wrongs {
		return errTooMany
	}
	if a.password != nil && bcrypt.CompareHashAndPassword(a.password, []byte(password)) == nil {
		return nil
	}
	a.wrong = append(a.wrong, now)
	return errWrongPassword
}

// begin signs a browser in.
func (a *access) begin(w http.ResponseWriter, r *http.Request) {
	token := rand.Text() + rand.Text()
	a.mu.Lock()
	maps.DeleteFunc(a.sessions, func(_ [sha256.Size]byte, until time.Time) bool { return !a.now().Before(until) })
	a.sessions[sha256.Sum256([]byte(token))] = a.now().Add(sessionLives)
	a.mu.Unlock()
	a.setCookie(w, r, token, 0)
}

func (a *access) setCookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// A forged header only makes the cookie stricter.
		Secure: secure(r),
	})
}

// knows reports whether the browser is signed in.
func (a *access) knows(r *http.Request) bool {
	cookie, err := r.Cookie(a.cookie)
	if err != nil {
		return false
	}
	id := sha256.Sum256([]byte(cookie.Value))
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if until, ok := a.sessions[id]; !ok || !now.Before(until) {
		return false
	}
	a.sessions[id] = now.Add(sessionLives)
	return true
}

func (a *access) end(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(a.cookie); err == nil {
		a.mu.Lock()
		delete(a.sessions, sha256.Sum256([]byte(cookie.Value)))
		a.mu.Unlock()
	}
	a.setCookie(w, r, "", -1)
}
