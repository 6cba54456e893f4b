package attachment

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// DefaultHosts is where TestFairy keeps its files.
func DefaultHosts() []string {
	return []string{
		"testfairy.com", "*.testfairy.com",
		"saucelabs.com", "*.saucelabs.com",
		// No "*." here: anybody may own the bucket "x.testfairy".
		"testfairy.s3.amazonaws.com",
	}
}

// DefaultAuthHosts is where TestFairy's REST credentials are valid: its pages,
// its REST API, and the same at Sauce Labs.
func DefaultAuthHosts() []string {
	return []string{
		"testfairy.com", "*.testfairy.com",
		"mobile.saucelabs.com", "mobile.eu-central-1.saucelabs.com",
	}
}

const maxURLBytes = 8 << 10

// policy decides which URLs may be fetched, and where a request for one goes.
type policy struct {
	hosts         hostList
	authHosts     hostList
	allowLoopback bool
	resolve       map[string]*url.URL
}

// target is a URL that has passed the policy.
type target struct {
	url      *url.URL // as named in the payload: what checks and redirects look at
	sent     *url.URL // where the request goes: another address under Options.Resolve
	loopback bool     // sent is on this machine, and must stay there
	mayAuth  bool     // url's host may be given the REST credentials
}

// String is the URL as it may be logged, without the query.
func (t target) String() string {
	return t.url.Scheme + "://" + t.url.Host + t.url.EscapedPath()
}

// target checks a URL. Its error is always an *Error.
func (p *policy) target(raw string) (target, error) {
	u, err := parseURL(raw)
	if err != nil {
		return target{}, permanent(reasonForbidden, "%w url: %w", errForbidden, err)
	}
	t, err := p.place(u)
	if err != nil {
		return target{}, permanent(reasonForbidden, "%w url %s: %w", errForbidden, target{url: u}, err)
	}
	return t, nil
}

// place decides where a request for u goes.
func (p *policy) place(u *url.URL) (target, error) {
	if p.allowLoopback && isLoopbackHost(u.Hostname()) {
		return target{url: u, sent: u, loopback: true}, nil
	}
	switch {
	case u.Scheme != "https":
		return target{}, errors.New("not https")
	case u.Port() != "" && u.Port() != "443":
		return target{}, errors.New("not port 443")
	}
	if err := checkHostName(u.Hostname()); err != nil {
		return target{}, err
	}
	if !p.hosts.has(u.Hostname()) {
		return target{}, errors.New("host is not on the allow list")
	}
	t := target{url: u, sent: u, mayAuth: p.authHosts.has(u.Hostname())}
	if base := p.resolve[u.Hostname()]; base != nil {
		t.sent, t.loopback = onto(base, u), true
	}
	return t, nil
}

// isREST reports whether u may be of TestFairy's REST API, whose paths start
// /api/1/. A server may read a path in more than one way, so any segment counts.
func isREST(u *url.URL) bool {
	for segment := range strings.SplitSeq(u.Path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if strings.EqualFold(strings.TrimSpace(name), "api") {
			return true
		}
	}
	return false
}

// onto returns u's path and query below base.
func onto(base, u *url.URL) *url.URL {
	sent := *u
	sent.Scheme, sent.Host = base.Scheme, base.Host
	sent.Path, sent.RawPath = base.Path+u.Path, base.EscapedPath()+u.EscapedPath()
	return &sent
}

// redirect checks where an answer from t sends us. Loopback is reached from
// loopback only: no answer from outside leads a request into this machine.
func (p *policy) redirect(from target, location string) (target, error) {
	if location == "" {
		return target{}, temporary(reasonRedirect, "%s: no Location", from)
	}
	if err := checkSpelling(location); err != nil {
		return target{}, permanent(reasonForbidden, "%w redirect from %s: %w", errForbidden, from, err)
	}
	u, err := from.url.Parse(location)
	if err != nil {
		return target{}, permanent(reasonForbidden, "%w redirect from %s: %w", errForbidden, from, parseFault(err))
	}
	if isSignIn(u) {
		e := permanent(reasonSignIn, "redirect from %s to %s", from, target{url: u})
		e.SignIn = true
		return target{}, e
	}
	to, err := p.target(u.String())
	if err != nil {
		return target{}, err
	}
	if isLoopbackHost(to.url.Hostname()) && !isLoopbackHost(from.url.Hostname()) {
		return target{}, permanent(reasonForbidden, "%w redirect from %s to loopback", errForbidden, from)
	}
	return to, nil
}

// parseURL reads an absolute http or https URL and refuses every spelling that
// two parsers might read differently.
func parseURL(raw string) (*url.URL, error) {
	if err := checkSpelling(raw); err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, parseFault(err)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("neither http nor https")
	case u.Opaque != "" || u.Host == "":
		return nil, errors.New("no host")
	case u.User != nil:
		return nil, errors.New("user information")
	case strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("empty port")
	}
	u.Host = lowerASCII(u.Host)
	return u, nil
}

// checkSpelling refuses the characters that parsers disagree about. A fragment
// is never sent, so a file's URL needs none.
func checkSpelling(raw string) error {
	if len(raw) > maxURLBytes {
		return fmt.Errorf("longer than %d bytes", maxURLBytes)
	}
	for _, c := range []byte(raw) {
		switch {
		case c <= ' ' || c == 0x7f:
			return errors.New("a space or control character")
		case c == '\\':
			return errors.New("a backslash")
		case c == '#':
			return errors.New("a fragment")
		}
	}
	return nil
}

// parseFault drops the URL that url.Error quotes: its query may be a secret.
func parseFault(err error) error {
	if quoted, ok := errors.AsType[*url.Error](err); ok {
		return quoted.Err
	}
	return err
}

// checkHostName accepts a DNS name in lower case and nothing that some resolver
// takes for an address: "2130706433", "0x7f.1" and "127.1" end in a number
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func checkHostName(host string) error {
	if len(host) > 253 {
		return errors.New("host name is too long")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return errors.New("not a plain host name")
		}
	}
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		return errors.New("an address, not a host name")
	}
	return nil
}

// isLoopbackHost reports whether host is "localhost" or a loopback address in
// its one canonical spelling, without a zone.
func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && isLoopback(addr) && addr.String() == host
}

// lowerASCII leaves what is not ASCII alone: strings.ToLower would turn the
// Kelvin sign into a k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
