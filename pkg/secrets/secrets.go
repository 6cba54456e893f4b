// Package secrets reads the bridge's secrets from SSM parameters: cached,
// joined, and read afresh when one was refused.
//
// A secret's value is only ever returned. It is in no error, no log line, and
// in no way of printing a [Store].
package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// The names of the bridge's secrets, below the prefix.
const (
	// CentercodeAPIKey is the key in the query of Centercode's API URLs.
	CentercodeAPIKey = "centercode-api-key"
	// WebhookToken holds the tokens that TestFairy may carry; see [Tokens].
	WebhookToken = "webhook-token"
	// TestFairyAPIKey is the password of TestFairy's REST API.
	TestFairyAPIKey = "testfairy-api-key"
	// ConsolePassword is the bcrypt hash of the password of a console that others
	// reach. The bridge itself does without.
	ConsolePassword = "console-password"
)

// Names returns the names of the bridge's secrets, in alphabetical order.
func Names() []string { return []string{CentercodeAPIKey, TestFairyAPIKey, WebhookToken} }

// DefaultPrefix is the parameter path that the secrets stand under.
const DefaultPrefix = "/fairbridge/"

const (
	// cacheFor is how long a value is used without asking again: SSM allows 40
	// reads a second an account, and a rotated secret is to be seen soon.
	cacheFor = 5 * time.Minute
	// retryAfter is the pause after a failed read while an older value serves,
	// so that an SSM that throttles is not asked by every request.
	retryAfter = 15 * time.Second
	// readTimeout bounds one read with the SDK's retries. It is well below the
	// 30 s that API Gateway gives ingest.
	readTimeout = 8 * time.Second
)

var (
	// ErrNotFound says that a secret's parameter does not exist.
	ErrNotFound = errors.New("secret not found")
	// ErrEmpty says that a secret's parameter holds nothing but white space.
	ErrEmpty = errors.New("secret is empty")
)

// API is the part of SSM in use. pkg/secrets/parameterstore makes one of the
// SDK's client or of pkg/embedded.
type API interface {
	// GetParameter returns the decrypted value of a parameter by its full name.
	// Its error wraps [ErrNotFound] if there is no such parameter; any other is
	// a fault, which may pass. It does its own retries, and no error shows a
	// value.
	GetParameter(ctx context.Context, name string) (string, error)
}

// Store reads secrets and caches them in this process. It may be used by many
// goroutines at once.
type Store struct {
	api    API
	prefix string
	now    func() time.Time
	log    *slog.Logger

	flight singleflight.Group // by name
	mu     sync.Mutex
	cache  map[string]entry // by name
}

// entry is a value with its times.
type entry struct {
	value   string
	readAt  time.Time // when its read began: it is at least that new
	retryAt time.Time // a read failed since: not before this again
}

// Config is what a [Store] is made of.
type Config struct {
	// API is where the parameters are. It has to be there.
	API API
	// Prefix is what the parameters' names begin with; the default is
	// [DefaultPrefix].
	Prefix string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Log gets the failed reads that an older value hides; nil for none.
	Log *slog.Logger
}

// New returns a store. It reads nothing yet. The error is about c.
func New(c Config) (*Store, error) {
	if c.API == nil {
		return nil, errors.New("make a store of secrets: Config.API is missing")
	}
	s := &Store{api: c.API, prefix: cmp.Or(c.Prefix, DefaultPrefix), now: c.Now, log: c.Log, cache: map[string]entry{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// ParameterName is the full name of a secret's SSM parameter. The prefix may
// come with or without its last slash.
func ParameterName(prefix, name string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + name
}

// Get returns a secret, at most 5 minutes old. When SSM cannot be asked, an
// older value serves on, and the fault goes to the logger. A parameter that is
// gone or empty is an answer and not a fault: [ErrNotFound], [ErrEmpty].
func (s *Store) Get(ctx context.Context, name string) (string, error) {
	if old, ok := s.cached(name); ok && s.now().Before(old.retryAt) && ctx.Err() == nil {
		return old.value, nil
	}
	e, err := s.read(ctx, name, cacheFor)
	if err == nil {
		return e.value, nil
	}
	if old, ok := s.cached(name); ok && ctx.Err() == nil {
		return old.value, nil
	}
	return "", err
}

// Prefetch begins to read a secret that will be needed, so that it is there, or
// on its way, when [Store.Get] asks. It leaves it to Get to tell of a failure.
// The channel is closed when the read has ended, after 8 s at the latest.
func (s *Store) Prefetch(ctx context.Context, name string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Get(ctx, name)
	}()
	return ended
}

// Fresh returns a secret that is younger than maxAge, and reads it again if
// the cached one is not: for a key that was just refused. Unlike [Store.Get]
// it never falls back on an older value.
func (s *Store) Fresh(ctx context.Context, name string, maxAge time.Duration) (string, error) {
	e, err := s.read(ctx, name, maxAge)
	return e.value, err
}

// read returns an entry younger than maxAge, out of the cache or from SSM.
func (s *Store) read(ctx context.Context, name string, maxAge time.Duration) (entry, error) {
	notBefore := s.now().Add(-maxAge)
	for {
		if err := ctx.Err(); err != nil {
			return entry{}, fmt.Errorf("read secret %s: %w", s.parameter(name), err)
		}
		e, err := s.join(ctx, name, notBefore)
		// A read that was under way may have begun too early for this caller.
		if err != nil || !e.readAt.Before(notBefore) {
			return e, err
		}
	}
}

// join waits for the read that is under way, or starts one. The read belongs
// to all who wait for it, so it does not end with the caller who began it.
func (s *Store) join(ctx context.Context, name string, notBefore time.Time) (entry, error) {
	if e, ok := s.cached(name); ok && e.readAt.After(notBefore) {
		return e, nil
	}
	done := s.flight.DoChan(name, func() (any, error) {
		// Another read may have ended between the look above and here.
		if e, ok := s.cached(name); ok && e.readAt.After(notBefore) {
			return e, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return s.fetch(ctx, name)
	})
	select {
	case <-ctx.Done():
		return entry{}, fmt.Errorf("read secret %s: %w", s.parameter(name), ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return entry{}, r.Err
		}
		return r.Val.(entry), nil
	}
}

// fetch reads a parameter from SSM and keeps the cache in step with the
// answer. Only one fetch a name runs at a time.
func (s *Store) fetch(ctx context.Context, name string) (entry, error) {
	began := s.now()
	value, err := getParameter(ctx, s.api, s.parameter(name))
	if err == nil {
		e := entry{value: value, readAt: began}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cache[name] = e
		return e, nil
	}
	if old, ok := s.keepAfter(err, name); ok {
		s.log.WarnContext(ctx, "secret could not be read again; the older value stays in use",
			"parameter", s.parameter(name), "age", s.now().Sub(old.readAt).String(), "err", err)
	}
	return entry{}, err
}

// keepAfter decides what a failed read leaves in the cache, and returns it.
func (s *Store) keepAfter(err error, name string) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.cache[name]
	switch {
	case !ok:
		return entry{}, false
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrEmpty):
		delete(s.cache, name) // somebody took it away: it must not come back
		return entry{}, false
	default:
		old.retryAt = s.now().Add(retryAfter)
		s.cache[name] = old
		return old, true
	}
}

func (s *Store) cached(name string) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.cache[name]
	return e, ok
}

func (s *Store) parameter(name string) string { return ParameterName(s.prefix, name) }

// String names the store without what it holds.
func (s *Store) String() string { return "secrets under " + s.prefix }

// Format keeps every verb of fmt, %#v too, from printing the cache.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue keeps slog from printing the cache.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }
