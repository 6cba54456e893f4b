package centercode

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/internal/loopback"
)

// completeEndpoint turns a file endpoint from an answer into a usable URL. The
// documentation says only that it "will not include the required project key", not how the
// key is left out, so an empty segment, a placeholder, a missing segment and a missing
// "projects/KEY" are all completed. The URL may be on a host that is not Centercode's: see
// CheckEndpoint.
func (c *Client) completeEndpoint(project, raw string) (string, error) {
	u, err := c.endpointURL(raw)
	if err != nil {
		return "", err
	}
	prefix := c.base.EscapedPath()
	if !strings.HasPrefix(u.EscapedPath(), prefix+"/") {
		prefix = ""
	}
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), prefix), "/") // "", "api", "v1", ...
	key := url.PathEscape(project)
	if len(segments) > 2 && strings.EqualFold(segments[1], "api") {
		behind := 2
		if len(segments) > 3 && apiVersion().MatchString(segments[2]) {
			behind = 3
		}
		segments = slices.Concat(segments[:behind], withProject(segments[behind:], key))
	}
	for i, s := range segments {
		if p := placeholderIn(s); strings.Contains(strings.ToLower(p), "project") {
			segments[i] = key
		}
	}
	return withPath(u, prefix+strings.Join(segments, "/")).String(), nil
}

var apiVersion = lazyregexp.New(`^[vV][0-9]+$`)

// withProject inserts the project's key into the segments after /api/v1/.
func withProject(rest []string, key string) []string {
	if !strings.EqualFold(rest[0], "projects") {
		return append([]string{"projects", key}, rest...)
	}
	if len(rest) < 2 {
		return rest
	}
	switch next := rest[1]; {
	case strings.EqualFold(next, key):
		return rest
	case next == "" || placeholderIn(next) != "":
		return slices.Concat([]string{rest[0], key}, rest[2:])
	case strings.HasPrefix(strings.ToLower(next), "feedback"):
		return slices.Concat([]string{rest[0], key}, rest[1:]) // the segment is missing
	}
	return rest // the project is there, but not by its key; by its number perhaps
}

var placeholder = lazyregexp.New(`^(?:\{+[^{}]*\}+|<[^<>]*>|\[[^\[\]]*\]|:[A-Za-z]\w*|null|undefined)$`)

// placeholderIn returns the placeholder that makes up an escaped path segment, otherwise
// "".
func placeholderIn(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil && placeholder().MatchString(text) {
		return text
	}
	return ""
}

// FileEndpoint finds an element in a ticket's files ([Ticket].Files): by its exact name or,
// if that is unambiguous, regardless of case.
func FileEndpoint(files map[string]string, element string) (endpoint string, ok bool) {
	if endpoint, ok = files[element]; ok {
		return endpoint, true
	}
	for name, other := range files {
		if !strings.EqualFold(name, element) {
			continue
		}
		if ok && other != endpoint {
			return "", false
		}
		endpoint, ok = other, true
	}
	return endpoint, ok
}

// CheckEndpoint returns why an endpoint, absolute or relative to the base URL, would not be
// sent files; nil if it would.
func (c *Client) CheckEndpoint(raw string) error {
	_, err := c.ownURL(raw)
	return err
}

// ownURL is endpointURL restricted to URLs that may receive the API key.
func (c *Client) ownURL(raw string) (*url.URL, error) {
	u, err := c.endpointURL(raw)
	if err == nil && !c.isOwn(u) {
		err = fmt.Errorf("is on the host %s, and centercode.baseUrl is on %s; the API key is sent to no other host "+
			"unless centercode.hosts in fairbridge.yaml lists it", u.Host, c.base.Host)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// isOwn reports whether a URL is on the base URL's host or one of Config.Hosts, over a
// connection that is as secure as the base URL's.
func (c *Client) isOwn(u *url.URL) bool {
	if u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && c.base.Scheme == "http" && loopback.IsHost(u.Hostname())) {
		return false
	}
	if u.Scheme == c.base.Scheme && strings.EqualFold(u.Hostname(), c.base.Hostname()) && portOf(u) == portOf(c.base) {
		return true
	}
	return slices.ContainsFunc(c.hosts, func(host string) bool {
		if strings.EqualFold(host, u.Host) {
			return true
		}
		bare := strings.EqualFold(strings.Trim(host, "[]"), u.Hostname())
		return bare && (portOf(u) == portOf(c.base) || u.Port() == "")
	})
}

// endpointURL returns raw as an absolute URL without an API key. A relative URL, or one
// with the base URL's host name, is resolved against the base URL.
func (c *Client) endpointURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" && u.Scheme != "":
		return nil, errors.New("is not a URL")
	case u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("is not an http URL")
	case u.User != nil:
		return nil, errors.New("contains a user or password")
	}
	path, base := "/"+strings.TrimLeft(u.EscapedPath(), "/"), c.base.EscapedPath()
	query := u.Query()
	for name := range query {
		if strings.EqualFold(name, "apiKey") {
			query.Del(name)
		}
	}
	whole := &url.URL{Scheme: c.base.Scheme, Host: c.base.Host, RawQuery: query.Encode()}
	// A server behind a proxy that terminates TLS may think that its scheme is http, or not
	// know its port. The request goes to the base URL's host either way.
	if u.Host != "" && (!strings.EqualFold(u.Hostname(), c.base.Hostname()) || u.Port() != "" && portOf(u) != portOf(c.base)) {
		whole.Host = u.Host
		if !loopback.IsHost(u.Hostname()) {
			whole.Scheme = "https"
		}
		return withPath(whole, path), nil
	}
	lower := strings.ToLower(path)
	switch {
	case base != "" && strings.HasPrefix(path, base+"/"):
	case u.Host == "" && (strings.HasPrefix(lower, "/projects/") || strings.HasPrefix(lower, "/feedback/")):
		path = base + apiPath + path
	default:
		path = base + path
	}
	return withPath(whole, path), nil
}

// withoutQuery returns an endpoint as errors may show it.
func withoutQuery(raw string) string {
	before, _, _ := strings.Cut(raw, "?")
	return clip.Text(Redact(oneLine(before)), maxEndpoint, "…")
}

// withPath returns u with an escaped path. It does not resolve the path, which would remove
// empty segments.
func withPath(u *url.URL, escaped string) *url.URL {
	other := *u
	other.Path, other.RawPath = escaped, ""
	if path, err := url.PathUnescape(escaped); err == nil {
		other.Path, other.RawPath = path, escaped
	}
	return &other
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}
