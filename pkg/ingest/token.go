package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"fairbridge/pkg/secrets"
)

// refreshEvery is how often a token that does not match may cause a read from SSM: a
// rotated token works within seconds, and a stranger who guesses tokens does not use up the
// account's 40 reads a second.
const refreshEvery = 30 * time.Second

// Secrets provides the webhook tokens. *secrets.Store implements it.
type Secrets interface {
	// Get returns a secret that may have been cached for some minutes.
	Get(ctx context.Context, name string) (string, error)
	// Fresh returns a secret that is younger than maxAge. Calls at the same
	// time share one read.
	Fresh(ctx context.Context, name string, maxAge time.Duration) (string, error)
}

// tokenCheck compares the token in a query string with the secret.
type tokenCheck struct {
	secrets Secrets
	now     func() time.Time

	mu     sync.Mutex
	failed time.Time // when a fresh read last failed
}

// check returns nil if the query has exactly one token and it is valid. The answer does not
// say whether the token was missing or wrong; its reason does.
func (t *tokenCheck) check(ctx context.Context, rawQuery string) *fault {
	query, err := url.ParseQuery(rawQuery)
	values := query["token"]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return unauthorized(ReasonNoToken, nil)
	}
	if err != nil || len(values) != 1 {
		return unauthorized(ReasonWrongToken, nil)
	}
	secret, err := t.secrets.Get(ctx, secrets.WebhookToken)
	if err != nil {
		return unavailable(ReasonTokenUnreadable, "The webhook token cannot be checked at the moment.",
			fmt.Errorf("get webhook token: %w", err))
	}
	if matches(values[0], secret) {
		return nil
	}
	fresh, err := t.refresh(ctx)
	if err == nil && matches(values[0], fresh) {
		return nil
	}
	return unauthorized(ReasonWrongToken, err)
}

// refresh reads the tokens again, unless that has just been done. Fresh limits successful
// reads; failed ones are limited here.
func (t *tokenCheck) refresh(ctx context.Context) (string, error) {
	t.mu.Lock()
	wait := !t.failed.IsZero() && t.now().Sub(t.failed) < refreshEvery
	t.mu.Unlock()
	if wait {
		return "", nil
	}
	fresh, err := t.secrets.Fresh(ctx, secrets.WebhookToken, refreshEvery)
	if err != nil {
		t.mu.Lock()
		t.failed = t.now()
		t.mu.Unlock()
		return "", fmt.Errorf("refresh webhook token: %w", err)
	}
	return fresh, nil
}

// matches compares the token with each one in the secret. Both sides are hashed first, so
// that the time does not depend on their length, and every token is compared, so that it
// does not show which one matched.
func matches(token, secret string) bool {
	got := sha256.Sum256([]byte(token))
	match := 0
	for _, t := range secrets.Tokens(secret) {
		want := sha256.Sum256([]byte(t))
		match |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return match == 1
}

func unauthorized(reason Reason, cause error) *fault {
	return &fault{status: http.StatusUnauthorized, reason: reason, cause: cause,
		detail: "The URL must carry the right token, once: " + Path + "?token=... Copy the whole webhook URL into TestFairy's integration again."}
}
