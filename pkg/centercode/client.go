package centercode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/internal/retryafter"
)

const (
	apiPath = "/api/v1"

	maxAnswerBytes = 1 << 20          // of an answer that is read for its content
	maxErrorBytes  = 64 << 10         // of an answer that is read for its description
	answerTimeout  = 30 * time.Second // from the answer's header to the end of its body
)

// Config is what a [Client] works with.
type Config struct {
	// BaseURL is the Centercode site, without the API's path: https, or http on a
	// loopback host. Needed.
	BaseURL string
	// HTTP sends the requests; nil is a client of its own with [NewTransport].
	// Its redirects are not followed: the API key must not move with them.
	HTTP *http.Client
}

// Client speaks to one Centercode. It is safe for concurrent use.
type Client struct {
	base *url.URL // no trailing slash, query, fragment or user
	http *http.Client
}

// New checks c and returns a client.
func New(c Config) (*Client, error) {
	base, err := parseBase(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("centercode base URL: %w", err)
	}
	var own http.Client
	if c.HTTP != nil {
		own = *c.HTTP
	} else {
		own.Transport = NewTransport()
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, http: &own}, nil
}

// parseBase reads a base URL. Its errors do not quote it: it may hold a secret
// that belongs elsewhere.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("no host")
	case u.User != nil:
		return nil, errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("must not hold a query or fragment")
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return nil, errors.New("must be https, http is for loopback hosts only")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q is not https", u.Scheme)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if at := strings.Index(strings.ToLower(path)+"/", apiPath+"/"); at >= 0 {
		return nil, fmt.Errorf("must not hold the API's path, which is added to it: write %s://%s%s", u.Scheme, u.Host, path[:at])
	}
	base, err := url.Parse(u.Scheme + "://" + u.Host + path)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	return base, nil
}

// url returns the URL of an API resource; the segments are escaped.
func (c *Client) url(segments ...string) (*url.URL, error) {
	var b strings.Builder
	b.WriteString(c.base.String() + apiPath)
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%q cannot stand in a URL's path", s)
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return url.Parse(b.String())
}

// call is one request to Centercode and what its errors need to be told apart.
type call struct {
	op    string // as in Error.Op
	key   string // the API key, to be taken out of what comes back
	reads bool   // changes nothing at the far end, so its answer cannot be lost
	begun atomic.Bool
}

// send sends the request with the API key. Its error is an *Error.
func (c *Client) send(ctx context.Context, x *call, req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	q.Set("apiKey", x.key)
	req.URL.RawQuery = q.Encode()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "FairBridge")
	// A request whose header has not left cannot have been carried out. A new
	// connection starts afresh: net/http repeats a request by itself only when
	// nothing of it was written.
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { x.begun.Store(false) },
		WroteHeaders: func() { x.begun.Store(true) },
	}
	resp, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return nil, x.noAnswer(ctx, err)
	}
	return resp, nil
}

// noAnswer is the error of a request that got no answer.
func (x *call) noAnswer(ctx context.Context, err error) *Error {
	return &Error{Op: x.op, Lost: x.begun.Load() && !x.reads, Err: redactError(ctxError(ctx, err), x.key)}
}

// refused is the error that an answer outside 2xx stands for.
func (x *call) refused(resp *http.Response, cancel func()) *Error {
	e := &Error{
		Op:         x.op,
		Status:     resp.StatusCode,
		RetryAfter: retryafter.Read(resp.Header, time.Now()),
		// A gateway's word, not Centercode's: the request may still be at work.
		Lost: resp.StatusCode == http.StatusGatewayTimeout && !x.reads,
	}
	body, whole, _ := readBody(resp.Body, maxErrorBytes, cancel) // half a description is better than none
	if !whole {
		// The cut may have gone through the key and left a part of it.
		body = body[:max(0, len(body)-3*len(x.key))]
	}
	if resp.StatusCode/100 == 3 {
		e.Description = "redirects are not followed; is the base URL right? Location: " + x.clip(resp.Header.Get("Location"))
	} else {
		e.Description = x.clip(describe(body))
	}
	return e
}

// clip makes text from outside fit for an error: no secret, one line, at most
// 1,000 characters.
func (x *call) clip(text string) string { return clip(redactKey(text, x.key), maxDescription) }

// readBody reads at most limit bytes, for at most answerTimeout, after which it
// calls cancel, which must end the body. whole is false if there was more, or
// if the body broke off, which err then says.
func readBody(body io.Reader, limit int64, cancel func()) (data []byte, whole bool, err error) {
	timer := time.AfterFunc(answerTimeout, cancel)
	defer timer.Stop()
	data, err = io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], false, err
	}
	return data, err == nil, err
}

// ctxError makes sure that the fault of an ended context says so: net/http
// reports the connection that broke because of it now and then.
func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
