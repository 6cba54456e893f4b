package centercode

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
)

// completeEndpoint makes a usable URL of a file endpoint as an answer spells it.
// Documented is only that it "will not include the required project key"; how it
// is left out is not, so an empty segment, a placeholder, a missing segment and
// a missing "projects/KEY" are all filled in.
func (c *Client) completeEndpoint(project, raw string) (string, error) {
	u, err := c.ownURL(raw)
	if err != nil {
		return "", err
	}
	base := c.base.EscapedPath()
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), base), "/") // "", "api", "v1", ...
	key := url.PathEscape(project)
	if len(segments) > 2 && strings.EqualFold(segments[1], "api") {
		behind := 2
		if len(segments) > 3 && version().MatchString(segments[2]) {
			behind = 3
		}
		segments = slices.Concat(segments[:behind], withProject(segments[behind:], key))
	}
	for i, s := range segments {
		if p := placeholderIn(s); strings.Contains(strings.ToLower(p), "project") {
			segments[i] = key
		}
	}
	return c.onBase(base+strings.Join(segments, "/"), u.RawQuery).String(), nil
}

var version = lazyregexp.New(`^[vV][0-9]+$`)

// withProject puts the project's key into the segments behind /api/v1/.
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
		return slices.Concat([]string{rest[0], key}, rest[1:]) // the segment is gone altogether
	}
	return rest // the project as something else than its key, its number perhaps
}

var placeholder = lazyregexp.New(`^(?:\{+[^{}]*\}+|<[^<>]*>|\[[^\[\]]*\]|:[A-Za-z]\w*|null|undefined)$`)

// placeholderIn returns the placeholder that an escaped path segment consists
// of, "" if it is none.
func placeholderIn(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil && placeholder().MatchString(text) {
		return text
	}
	return ""
}

// ownURL returns raw, which may be absolute or relative, as a URL on the base
// URL's own host, without an API key. An endpoint elsewhere is an error: the key
// would go with it.
func (c *Client) ownURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return nil, errors.New("not a URL")
	}
	if u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not an http URL")
	}
	if u.User != nil {
		return nil, errors.New("holds a user or password")
	}
	if u.Host != "" || u.Scheme != "" {
		// Behind a proxy that ends TLS a server may believe that it is http, or not
		// know its port. The request goes to the base URL's host either way.
		if !strings.EqualFold(u.Hostname(), c.base.Hostname()) || (u.Port() != "" && portOf(u) != portOf(c.base)) {
			return nil, errors.New("not on Centercode's own host")
		}
	}
	path := "/" + strings.TrimLeft(u.EscapedPath(), "/")
	base := c.base.EscapedPath()
	lower := strings.ToLower(path)
	switch {
	case base != "" && strings.HasPrefix(path, base+"/"):
	case u.Host == "" && (strings.HasPrefix(lower, "/projects/") || strings.HasPrefix(lower, "/feedback/")):
		path = base + apiPath + path
	default:
		path = base + path
	}
	query := u.Query()
	for name := range query {
		if strings.EqualFold(name, "apiKey") {
			query.Del(name)
		}
	}
	return c.onBase(path, query.Encode()), nil
}

// onBase returns the URL of an escaped path on the base URL's host. It does not
// resolve the path against anything, which would take empty segments out.
func (c *Client) onBase(escaped, query string) *url.URL {
	u := &url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: escaped, RawQuery: query}
	if path, err := url.PathUnescape(escaped); err == nil {
		u.Path, u.RawPath = path, escaped
	}
	return u
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
