// Package api is a client for the parts of TestFairy's REST API that the bridge needs: the
// account's webhooks and its latest feedbacks. The API may be retired; what remains of it
// on Sauce Labs' new platform announces that in its headers, see [Ending].
//
// The documentation names the fields of an answer but does not specify its exact shape. So
// answers are decoded leniently, with size limits, and anything that cannot be understood
// is an error: a misread list would end in a second webhook.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/version"
)

// The base URLs of the REST API. TestFairy is now Sauce Labs Mobile App Distribution; older
// accounts may still be on Legacy.
const (
	US     = "https://mobile.saucelabs.com"
	EU     = "https://mobile.eu-central-1.saucelabs.com"
	Legacy = "https://api.testfairy.com"
)

const (
	// callTimeout bounds one call including its answer.
	callTimeout = 30 * time.Second
	// maxAnswer is the maximum size of an answer in bytes; a webhook takes some 300.
	maxAnswer = 1 << 20
	// MaxFeedbacks is that of a hundred feedbacks, each of which may have a long text.
	MaxFeedbacks = 16 << 20
)

// ErrInvalidBase means that a base URL cannot be used.
var ErrInvalidBase = errors.New("not a base URL of TestFairy's REST API")

// Credentials are for HTTP Basic authentication. No way of printing them shows the key.
type Credentials struct {
	// User is the account's email address.
	User string
	// Key is the API key.
	Key string `json:"-"`
}

// Format implements [fmt.Formatter] for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "credentials of "+c.User) }

// LogValue implements [slog.LogValuer].
func (c Credentials) LogValue() slog.Value { return slog.StringValue("credentials of " + c.User) }

// Client calls the REST API of one account. It is safe for concurrent use.
type Client struct {
	base        *url.URL
	credentials Credentials
	http        *http.Client
	ending      atomic.Pointer[Ending]
}

// Config is what a client is made of.
type Config struct {
	// BaseURL is [US], [EU], [Legacy] or another https URL (http on loopback only),
	// without a query.
	BaseURL     string
	Credentials Credentials
	// HTTP may be nil. Redirects are never followed, whatever it says: they would
	// carry the credentials along.
	HTTP *http.Client
}

// New returns a client. For a BaseURL that cannot be used the error is [ErrInvalidBase].
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil, base.Host == "", base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, ErrInvalidBase
	case base.Scheme != "https" && (base.Scheme != "http" || !loopback.IsHost(base.Hostname())):
		return nil, fmt.Errorf("%w: it must start with https:// (http:// on this machine only)", ErrInvalidBase)
	}
	own := http.Client{}
	if c.HTTP != nil {
		own = *c.HTTP
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	return &Client{base: base, credentials: c.Credentials, http: &own}, nil
}

// Pages returns the base URL of the account's web pages, above /projects.
func (c *Client) Pages() string { return Pages(c.base.String()) }

// Pages returns the base URL of the web pages that belong to a REST API's, above /projects.
func Pages(baseURL string) string {
	baseURL = strings.TrimSuffix(baseURL, "/")
	if baseURL == Legacy {
		return "https://app.testfairy.com"
	}
	return baseURL
}

// Format implements [fmt.Formatter]. Without it fmt would print the credentials, since it
// does not call the methods of unexported fields.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "TestFairy at "+c.base.Host) }

// LogValue implements [slog.LogValuer].
func (c *Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// request is a call below /api/1/.
type request struct {
	// op describes the call.
	op, method, path string
	query            url.Values
	// form is the body, nil for none.
	form url.Values
	// most is the maximum size of the answer, in bytes.
	most int64
}

// call makes one call and returns the fields of the answer. The error is an [*Error].
func (c *Client) call(ctx context.Context, r request) (map[string]any, error) {
	fail := func(status int, message string, err error) error {
		return &Error{Op: r.op, Status: status, Message: c.clean(message, r.form), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if r.form != nil {
		body = strings.NewReader(r.form.Encode())
	}
	where := c.base.JoinPath("api/1", r.path)
	where.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, where.String(), body)
	if err != nil {
		return nil, fail(0, "", err)
	}
	req.SetBasicAuth(c.credentials.User, c.credentials.Key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", version.Product())
	if r.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if where, ok := errors.AsType[*url.Error](err); ok {
			err = where.Err // op already says what the URL would
		}
		return nil, fail(0, "", err)
	}
	defer resp.Body.Close()
	ending := endingOf(resp.Header)
	c.ending.Store(&ending)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, fail(resp.StatusCode, "", errRedirect)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, r.most+1))
	if err != nil {
		return nil, fail(resp.StatusCode, "", fmt.Errorf("read the answer: %w", err))
	}
	if int64(len(answer)) > r.most {
		return nil, fail(resp.StatusCode, "", fmt.Errorf("the answer is longer than %d bytes", r.most))
	}
	fields, message, err := decodeAnswer(answer)
	switch {
	case resp.StatusCode >= 400:
		// Whatever the body says, the status is the reason.
		return nil, fail(resp.StatusCode, message, nil)
	case err != nil:
		return nil, fail(resp.StatusCode, message, err)
	}
	return fields, nil
}
