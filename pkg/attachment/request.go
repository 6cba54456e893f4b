package attachment

import (
	"context"
	"net/http"

	"fairbridge/pkg/version"
)

const maxRedirects = 3

// get requests the file at t, follows redirects, and returns the first other response. Each
// hop has to pass the policy, and its address the dialer's check. The error is an *Error.
// The caller closes the body.
func (f *Fetcher) get(ctx context.Context, r OpenRequest, t target, from *checkpoint) (*http.Response, target, error) {
	auth := r.Auth
	for redirects := 0; ; redirects++ {
		if err := r.mayAsk(t, auth); err != nil {
			return nil, target{}, err
		}
		resp, err := f.roundTrip(ctx, t, auth, from)
		if err != nil {
			return nil, target{}, transportError(ctx, t, err)
		}
		if !isRedirect(resp.StatusCode) {
			return resp, t, nil
		}
		resp.Body.Close()
		if redirects == maxRedirects {
			return nil, target{}, permanent(reasonRedirects, "get %s: more than %d redirects", t, maxRedirects)
		}
		next, err := f.policy.redirect(t, resp.Header.Get("Location"))
		if err != nil {
			return nil, target{}, err
		}
		if next.url.Host != t.url.Host {
			auth = nil
		}
		t = next
	}
}

// mayAsk refuses to send credentials to TestFairy's REST API for anything but a session.
// The payload chooses the URL, and must not be able to choose what only the account may
// read, such as all feedbacks.
func (r OpenRequest) mayAsk(t target, auth *BasicAuth) error {
	if auth != nil && t.mayAuth && r.Want != WantREST && isREST(t.url) {
		return forbidden(reasonForbidden, t.String(), refusal("it belongs to TestFairy's REST API, which is used for sessions only"))
	}
	return nil
}

// roundTrip sends one request. It uses the transport directly: http.Client would add a
// Referer, and forward credentials to subdomains.
func (f *Fetcher) roundTrip(ctx context.Context, t target, auth *BasicAuth, from *checkpoint) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: t.sent, Host: t.url.Host, Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("User-Agent", version.Product())
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	if auth != nil && t.mayAuth {
		req.SetBasicAuth(auth.User, auth.Password)
	}
	if from != nil {
		from.ask(req.Header)
	}
	if t.loopback {
		return f.loopback.RoundTrip(req)
	}
	return f.public.RoundTrip(req)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}
