package centercode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/retryafter"
	"fairbridge/pkg/version"
)

const (
	maxAnswerBytes = 1 << 20          // of an answer whose content matters
	maxErrorBytes  = 64 << 10         // of an answer that is only described
	answerTimeout  = 30 * time.Second // from the answer's header to the end of its body
)

// call is one operation, with what its errors need.
type call struct {
	op    string  // as in Error.Op
	key   *secret // the API key, which is redacted from whatever comes back
	reads bool    // changes nothing at the server, so a lost answer does not matter
	// method and target are those of the latest request; target is nil before the first.
	method string
	target *url.URL
	own    bool // target is one of Centercode's own URLs
	begun  atomic.Bool
}

// begin starts an operation.
func (c *Client) begin(op, apiKey string) *call {
	key := c.secret.Load()
	if key == nil || key.value != apiKey {
		key = newSecret(apiKey)
		c.secret.Store(key)
	}
	return &call{op: op, key: key}
}

// ownRequest creates a request with the API key to one of Centercode's own URLs. Its error
// is an *Error.
func (x *call) ownRequest(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Request, error) {
	target := *u
	q := target.Query()
	q.Set("apiKey", x.key.value)
	target.RawQuery = q.Encode()
	req, err := x.plainRequest(ctx, method, &target, body)
	x.own = true
	return req, err
}

// plainRequest creates a request without the API key. Its error is an *Error.
func (x *call) plainRequest(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, x.cannotSend(err)
	}
	x.method, x.target, x.own = method, u, false
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", version.Product())
	return req, nil
}

// request returns the latest request as in Error.Request.
func (x *call) request() string {
	if x.target == nil {
		return ""
	}
	where := x.target.EscapedPath()
	if !x.own {
		where = x.target.Scheme + "://" + x.target.Host + where
	}
	return x.method + " " + x.clip(where, maxForeign)
}

// cannotSend returns the error of a request that can never be sent.
func (x *call) cannotSend(err error) *Error {
	return &Error{Op: x.op, Request: x.request(), Final: true, Err: x.key.redactError(err)}
}

// reply is a success and its body.
type reply struct {
	status int
	header http.Header
	body   []byte // without a byte order mark and surrounding white space
	broke  error  // why body is incomplete, nil if it is complete
}

var errTooLong = errors.New("the answer is longer")

// exchange sends a request and reads its answer. Its error is an *Error.
func (c *Client) exchange(ctx context.Context, x *call, req *http.Request, limit int64) (reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := x.send(ctx, c.http, req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	return x.read(ctx, cancel, resp, limit)
}

// send sends a request. Its error is an *Error.
func (x *call) send(ctx context.Context, by *http.Client, req *http.Request) (*http.Response, error) {
	// A request whose header was not sent cannot have been carried out. A new connection
	// resets this: net/http only retries a request of which nothing was written.
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { x.begun.Store(false) },
		WroteHeaders: func() { x.begun.Store(true) },
	}
	resp, err := by.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if errors.Is(err, errForbidden) {
		why := errForbidden
		if dialled, ok := errors.AsType[*net.OpError](err); ok {
			why = dialled.Err // without the URL
		}
		return nil, x.cannotSend(fmt.Errorf("an answer sends the file on to %s: %w", req.URL.Host, why))
	}
	if err != nil {
		return nil, &Error{Op: x.op, Request: x.request(), Lost: x.begun.Load() && !x.reads, Err: x.key.redactError(ctxError(ctx, err))}
	}
	return resp, nil
}

// read reads an answer: at most limit bytes of a success, for at most answerTimeout, after
// which it calls cancel, which must end the body. Any other status, and a refusal inside a
// success, becomes an *Error.
func (x *call) read(ctx context.Context, cancel func(), resp *http.Response, limit int64) (reply, error) {
	success := resp.StatusCode/100 == 2
	if !success {
		limit = maxErrorBytes
	}
	timer := time.AfterFunc(answerTimeout, cancel)
	defer timer.Stop()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	r := reply{status: resp.StatusCode, header: resp.Header}
	switch {
	case err != nil:
		r.broke = fmt.Errorf("read the answer: %w", x.key.redactError(ctxError(ctx, err)))
	case int64(len(body)) > limit:
		r.broke = fmt.Errorf("%w than %d bytes", errTooLong, limit)
	}
	if r.broke != nil {
		// The limit may have cut the key and left a part of it.
		body = body[:max(0, min(len(body), int(limit))-x.key.longest())]
	}
	r.body = bytes.TrimSpace(trimBOM(body))
	if !success {
		return reply{}, x.failed(r)
	}
	if e := x.refused(r); e != nil {
		return reply{}, e
	}
	return r, nil
}

// failed returns the error for an answer outside 2xx.
func (x *call) failed(r reply) *Error {
	wait := retryafter.Read(r.header, time.Now())
	e := &Error{Op: x.op, Request: x.request(), Status: r.status, RetryAfter: wait.Granted, Cut: wait.String()}
	e.OwnFault = r.status == http.StatusInternalServerError && r.broke == nil && inOwnForm(r.body)
	e.Lost = !x.reads && leavesDoubt(r.status) && !e.OwnFault
	text := x.describe(r.body)
	switch {
	case r.status/100 == 3:
		text = "a redirect that is not followed; is the base URL right? Location: " + r.header.Get("Location")
	case r.status == http.StatusForbidden && isPage(r.body):
		text = "a web page, so a firewall in front of Centercode has refused the request, not Centercode: " + text
	}
	e.Description = x.description(text)
	return e
}

// refused returns the error for a success that contains a refusal, otherwise nil.
func (x *call) refused(r reply) *Error {
	if r.broke != nil {
		return nil
	}
	status, refused := findRefusal(r.body)
	if !refused {
		return nil
	}
	if !x.reads {
		if a, err := readAnswer(r.body); err == nil && (a.id != "" || len(a.files) > 0) {
			id := a.id
			if id == "" {
				id = "without an id"
			}
			return &Error{Op: x.op, Request: x.request(), Status: r.status, Lost: true,
				Description: x.description(fmt.Sprintf("the answer contains a ticket (%s) or a file's endpoint, and also reports a failure: %s", id, x.describe(r.body)))}
		}
	}
	if status == 0 {
		return &Error{Op: x.op, Request: x.request(), Status: r.status, Final: true, Description: x.description(x.describe(r.body))}
	}
	inner := r
	inner.status = status
	return x.failed(inner)
}

// description turns text from outside into an error's description.
func (x *call) description(text string) string { return x.clip(text, maxDescription) }

// clip turns text from outside into one line of at most limit characters, without a secret
// or a part of one.
func (x *call) clip(text string, limit int) string {
	// Redact again once it is one line: the removed characters may have been inside a key.
	return clip.Text(x.key.redact(oneLine(x.key.redact(text))), limit, "…")
}

// isPage reports whether a body is markup; Centercode itself answers in JSON.
func isPage(body []byte) bool { return bytes.HasPrefix(body, []byte("<")) }

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// ctxError makes sure that the error of an ended context wraps the context's: net/http
// sometimes reports the connection that broke because of it.
func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
