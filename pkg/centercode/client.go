package centercode

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"

	"fairbridge/pkg/internal/loopback"
)

const apiPath = "/api/v1"

// Config configures a [Client].
type Config struct {
	// BaseURL is the Centercode site without the API's path: https, or http on a loopback
	// host. Required.
	BaseURL string
	// HTTP sends the requests; the default is a client with [NewTransport]. Redirects are
	// not followed, since the API key must not follow them.
	HTTP *http.Client
	// Hosts are further hosts that belong to Centercode: an answer may send the API key
	// there. Each is "host", or "host:port" if the port is neither BaseURL's nor the
	// scheme's default.
	Hosts []string
	// Allow returns an error for an address that must not receive files when Centercode
	// redirects an upload to another host. It is called for each connection, after DNS.
	// With nil, uploads are redirected to Centercode's own hosts only. If BaseURL is on
	// loopback, as with the simulator, redirects to loopback are always allowed.
	Allow func(netip.AddrPort) error
	// TempDir is for files of unknown size that Centercode accepts only with their length;
	// the default is [os.TempDir].
	TempDir string
}

// Client is a client for one Centercode site. It is safe for concurrent use.
type Client struct {
	base    *url.URL // no trailing slash, query, fragment or user
	hosts   []string
	http    *http.Client
	others  *http.Client // for uploads redirected to other hosts; nil if that is not allowed
	tempDir string
	secret  atomic.Pointer[secret] // of the latest API key
}

// New validates c and returns a client.
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
	client := &Client{base: base, hosts: c.Hosts, http: &own, tempDir: c.TempDir}
	if c.Allow != nil {
		others, guarded := own, newGuarded(c.Allow)
		if t, ok := own.Transport.(*http.Transport); ok {
			guarded.TLSClientConfig = t.TLSClientConfig
		}
		others.Transport = guarded
		client.others = &others
	}
	return client, nil
}

// parseBase parses a base URL. Its errors do not quote the URL, which may contain a secret
// by mistake.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("no host")
	case u.User != nil:
		return nil, errors.New("must not contain a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("must not contain a query or fragment")
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return nil, errors.New("must be https, http is for loopback hosts only")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q is not https", u.Scheme)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if at := strings.Index(strings.ToLower(path)+"/", apiPath+"/"); at >= 0 {
		return nil, fmt.Errorf("must not contain the API's path, which is added to it: write %s://%s%s", u.Scheme, u.Host, path[:at])
	}
	return withPath(&url.URL{Scheme: u.Scheme, Host: u.Host}, path), nil
}

// url returns the URL of an API resource; it escapes the segments.
func (c *Client) url(segments ...string) (*url.URL, error) {
	var b strings.Builder
	b.WriteString(c.base.String() + apiPath)
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%q is not a valid URL path segment", s)
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return url.Parse(b.String())
}
