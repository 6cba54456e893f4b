// Package secrets reads the bridge's secrets from SSM parameters. It caches them, joins
// concurrent reads, and reads a secret again after it was refused.
//
// A secret leaves this package only as a return value: no error, no log line and no way of
// printing a [Store] contains one.
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
	// WebhookToken holds the tokens that are accepted from TestFairy; see [Tokens].
	WebhookToken = "webhook-token"
	// TestFairyAPIKey is the password of TestFairy's REST API.
	TestFairyAPIKey = "testfairy-api-key"
	// ConsolePassword is the bcrypt hash of the password of a console that listens on more
	// than loopback. The bridge itself does not use it.
	ConsolePassword = "console-password"
)

// Names returns the names of the bridge's secrets, in alphabetical order.
func Names() []string { return []string{CentercodeAPIKey, TestFairyAPIKey, WebhookToken} }

// DefaultPrefix is the parameter path of the secrets.
const DefaultPrefix = "/fairbridge/"

const (
	// cacheFor is how long a value is used without reading it again. SSM allows 40 reads a
	// second for each account, and a rotated secret should be noticed soon.
	cacheFor = 5 * time.Minute
	// retryAfter is the pause after a failed read while an older value is in use, so that
	// requests do not add to the load of an SSM that throttles.
	retryAfter = 15 * time.Second
	// readTimeout bounds one read including the SDK's retries. It is well below the 30 s
	// that API Gateway allows ingest.
	readTimeout = 8 * time.Second
)

var (
	// ErrNotFound means that a secret's parameter does not exist.
	ErrNotFound = errors.New("secret not found")
	// ErrEmpty means that a secret's parameter contains only white space.
	ErrEmpty = errors.New("secret is empty")
)

// API is the part of SSM in use. pkg/secrets/parameterstore implements it with the SDK's
// client or with pkg/embedded.
type API interface {
	// GetParameter returns the decrypted value of the parameter with that full name. Its
	// error wraps [ErrNotFound] if there is no such parameter; any other error may be
	// temporary. It does its own retries, and no error contains a value.
	GetParameter(ctx context.Context, name string) (string, error)
}

// Store reads secrets and caches them in this process. It is safe for concurrent use.
type Store struct {
	api    API
	prefix string
	now    func() time.Time
	log    *slog.Logger

	flight singleflight.Group // by name
	mu     sync.Mutex
	cache  map[string]entry // by name
}

// entry is a cached value.
type entry struct {
	value   string
	readAt  time.Time // when its read began: the value is at least that new
	retryAt time.Time // after a failed read, when to try the next
}

// Config configures a [Store].
type Config struct {
	// API reads the parameters. Required.
	API API
	// Prefix starts the parameters' names; the default is [DefaultPrefix].
	Prefix string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Log receives failed reads that an older value covers up; nil for none.
	Log *slog.Logger
}

// New returns a store. It does not read anything yet. An error is about c.
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

// ParameterName returns the full name of a secret's SSM parameter. The prefix may end in a
// slash or not.
func ParameterName(prefix, name string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + name
}

// Get returns a secret that is at most 5 minutes old. If SSM fails, it returns an older
// value and logs the failure. A parameter that is missing or empty is not a failure: Get
// returns [ErrNotFound] or [ErrEmpty].
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

// Prefetch starts reading a secret that [Store.Get] will need. Get reports a failure. The
// channel is closed when the read has ended, after 8 s at the latest.
func (s *Store) Prefetch(ctx context.Context, name string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Get(ctx, name)
	}()
	return ended
}

// Fresh returns a secret that is younger than maxAge, reading it again if the cached one is
// older. It is for a key that was just refused. Unlike [Store.Get] it never falls back on
// an older value.
func (s *Store) Fresh(ctx context.Context, name string, maxAge time.Duration) (string, error) {
	e, err := s.read(ctx, name, maxAge)
	return e.value, err
}

// read returns an entry younger than maxAge, from the cache or from SSM.
func (s *Store) read(ctx context.Context, name string, maxAge time.Duration) (entry, error) {
	notBefore := s.now().Add(-maxAge)
	for {
		if err := ctx.Err(); err != nil {
			return entry{}, fmt.Errorf("read secret %s: %w", s.parameter(name), err)
		}
		e, err := s.join(ctx, name, notBefore)
		// A read that was already running may have begun too early for this caller.
		if err != nil || !e.readAt.Before(notBefore) {
			return e, err
		}
	}
}

// join waits for the running read, or starts one. All waiting callers share it, so it does
// not end when the caller that started it gives up.
func (s *Store) join(ctx context.Context, name string, notBefore time.Time) (entry, error) {
	if e, ok := s.cached(name); ok && e.readAt.After(notBefore) {
		return e, nil
	}
	done := s.flight.DoChan(name, func() (any, error) {
		// Another read may have ended since the check above.
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

// fetch reads a parameter from SSM and updates the cache. For each name only one fetch runs
// at a time.
func (s *Store) fetch(ctx context.Context, name string) (entry, error) {
	began := s.now()
	value, err := getParameter(ctx, s.api, s.parameter(name))
	if err == nil {
		e := entry{value: value, readAt: began}
		s.keep(name, e)
		return e, nil
	}
	old, ok := s.cached(name)
	switch {
	case !ok:
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrEmpty):
		// It was removed on purpose: the old value must not be used again.
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cache, name)
	default:
		old.retryAt = s.now().Add(retryAfter)
		s.keep(name, old)
		s.log.WarnContext(ctx, "secret could not be read again; the older value stays in use",
			"parameter", s.parameter(name), "age", s.now().Sub(old.readAt).String(), "err", err)
	}
	return entry{}, err
}

func (s *Store) keep(name string, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache[name] = e
}

func (s *Store) cached(name string) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.cache[name]
	return e, ok
}

func (s *Store) parameter(name string) string { return ParameterName(s.prefix, name) }

// String names the store without its contents.
func (s *Store) String() string { return "secrets under " + s.prefix }

// Format keeps every verb of fmt, %#v too, from printing the cache.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue keeps slog from printing the cache.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }
