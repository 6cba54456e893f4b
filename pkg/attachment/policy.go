package attachment

import (
	"fmt"
	"net/url"
	"strings"

	"fairbridge/pkg/internal/loopback"
)

// defaultHosts returns the hosts on which TestFairy keeps files.
func defaultHosts() []string {
	return []string{
		"testfairy.com", "*.testfairy.com",
		"saucelabs.com", "*.saucelabs.com",
		// No "*." here: anyone may own the bucket "x.testfairy".
		"testfairy.s3.amazonaws.com",
	}
}

// defaultAuthHosts returns the hosts that accept TestFairy's REST credentials: its pages,
// its REST API, and the same at Sauce Labs.
func defaultAuthHosts() hostList {
	return hostList{
		"testfairy.com", "*.testfairy.com",
		"mobile.saucelabs.com", "mobile.eu-central-1.saucelabs.com",
	}
}

// policy decides which URLs may be fetched, and where a request for one goes.
type policy struct {
	hosts         hostList
	authHosts     hostList
	allowLoopback bool
	resolve       map[string]*url.URL
}

// target is a URL that has passed the policy.
type target struct {
	url      *url.URL // as in the payload: checks and redirects use this one
	sent     *url.URL // where the request goes: differs with Config.Resolve
	loopback bool     // sent is on this machine, and must stay there
	mayAuth  bool     // url's host may receive the REST credentials
	moved    bool     // reached by a redirect, not from the payload
}

// String returns the URL for logs, without the query.
func (t target) String() string {
	return t.url.Scheme + "://" + t.url.Host + t.url.EscapedPath()
}

// target checks a URL. Its error is always an *Error.
func (p *policy) target(raw string) (target, error) {
	u, err := parseURL(raw)
	if err != nil {
		return target{}, forbidden(reasonForbidden, "url", err)
	}
	t, err := p.place(u)
	if err != nil {
		return target{}, forbidden(reasonForbidden, "url "+target{url: u}.String(), err)
	}
	return t, nil
}

// place decides where a request for u goes.
func (p *policy) place(u *url.URL) (target, error) {
	if p.allowLoopback && loopback.IsHost(u.Hostname()) {
		return target{url: u, sent: u, loopback: true}, nil
	}
	switch {
	case u.Scheme != "https":
		return target{}, refusal("it is not https")
	case u.Port() != "" && u.Port() != "443":
		return target{}, refusal("its port is not 443")
	}
	if err := checkHostName(u.Hostname()); err != nil {
		return target{}, err
	}
	if !p.hosts.has(u.Hostname()) {
		return target{}, refusal("its host " + u.Hostname() + " is not on the list of hosts for files (sources.hosts in fairbridge.yaml)")
	}
	t := target{url: u, sent: u, mayAuth: p.authHosts.has(u.Hostname())}
	if base := p.resolve[u.Hostname()]; base != nil {
		t.sent, t.loopback = onto(base, u), true
	}
	return t, nil
}

// isREST reports whether u may belong to TestFairy's REST API, whose paths start with
// /api/1/. Servers may normalise a path in several ways, so any segment counts.
func isREST(u *url.URL) bool {
	for segment := range strings.SplitSeq(u.Path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if strings.EqualFold(strings.TrimSpace(name), "api") {
			return true
		}
	}
	return false
}

// onto returns base with u's path and query appended.
func onto(base, u *url.URL) *url.URL {
	sent := *u
	sent.Scheme, sent.Host = base.Scheme, base.Host
	sent.Path, sent.RawPath = base.Path+u.Path, base.EscapedPath()+u.EscapedPath()
	return &sent
}

// redirect checks a redirect from a response of from. Loopback can be reached from loopback
// only: no outside response may direct a request to this machine.
func (p *policy) redirect(from target, location string) (target, error) {
	if location == "" {
		return target{}, temporary(reasonRedirect, "%s: no Location", from)
	}
	tidy, err := tidyURL(location)
	if err != nil {
		return target{}, forbidden(reasonMoved, "redirect from "+from.String(), err)
	}
	u, err := from.url.Parse(tidy)
	if err != nil {
		return target{}, forbidden(reasonMoved, "redirect from "+from.String(), parseFault(err))
	}
	if isSignIn(u) {
		e := permanent(reasonSignIn, "redirect from %s to %s", from, target{url: u})
		e.SignIn = true
		return target{}, e
	}
	if u, err = parseURL(u.String()); err != nil {
		return target{}, forbidden(reasonMoved, "redirect from "+from.String(), err)
	}
	to, err := p.place(u)
	if err == nil && loopback.IsHost(u.Hostname()) && !loopback.IsHost(from.url.Hostname()) {
		err = refusal("it is on this machine")
	}
	if err != nil {
		return target{}, forbidden(reasonMoved, fmt.Sprintf("redirect from %s to %s", from, target{url: u}), err)
	}
	to.moved = true
	return to, nil
}
