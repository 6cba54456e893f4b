package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/internal/printable"
)

var (
	// ErrCredentials means that TestFairy rejected the user or the key.
	ErrCredentials = errors.New("user or API key refused")
	// ErrFailed means that TestFairy answered "status": "fail".
	ErrFailed = errors.New(`answered "fail"`)
	// ErrGone means that TestFairy no longer has a list.
	ErrGone = errors.New("it no longer exists")

	errRedirect = errors.New("the answer is a redirect, which is not followed; is the base URL right?")
	errNotJSON  = errors.New("the answer is not JSON as documented; is the base URL right?")
	errShape    = errors.New("the answer is not of a known shape")
)

// Error is a failed call. It contains neither the key nor the query of any URL, where a
// webhook has its token.
type Error struct {
	// Op is what was being done, such as "list webhooks".
	Op string
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Message is TestFairy's own, redacted; "" if there was none.
	Message string
	// Err is the cause; nil if the status is enough.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	text := "TestFairy: " + e.Op
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		text += ": " + ErrCredentials.Error()
	} else if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		text += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrCredentials) true for HTTP 401 and 403.
func (e *Error) Is(target error) bool {
	return target == ErrCredentials && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// maxMessage bounds what an error quotes from an answer, in characters.
const maxMessage = 200

var anyQuery = lazyregexp.New(`\?[^\s"'<>]+`)

// clean makes a message from an answer fit for an error: short, on one line, and without
// the secrets of the request.
func (c *Client) clean(message string, form url.Values) string {
	message = printable.Line(strings.ToValidUTF8(message, ""))
	for _, secret := range c.secrets(form) {
		message = strings.ReplaceAll(message, secret, "...")
	}
	message = anyQuery().ReplaceAllString(message, "?...")
	return clip.Text(strings.Join(strings.Fields(message), " "), maxMessage, "…")
}

// secrets returns what no message may contain: the key, and the query of the webhook's URL,
// in every spelling in which an answer might repeat them.
func (c *Client) secrets(form url.Values) []string {
	key := c.credentials.Key
	all := []string{base64.StdEncoding.EncodeToString([]byte(c.credentials.User + ":" + key)), key, url.QueryEscape(key)}
	if u, err := url.Parse(form.Get(fieldURL)); err == nil && u.RawQuery != "" {
		all = append(all, url.QueryEscape(form.Get(fieldURL)), u.RawQuery, url.QueryEscape(u.RawQuery))
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
