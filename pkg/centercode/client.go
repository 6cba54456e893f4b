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

// Config is what a [Client] works with.
type Config struct {
	// BaseURL is the Centercode site, without the API's path: https, or http on a
	// loopback host. Needed.
	BaseURL string
	// HTTP sends the requests; nil is a client of its own with [NewTransport].
	// Its redirects are not followed: the API key must not move with them.
	HTTP *http.Client
	// Hosts are further hosts that are Centercode's: the API key may go there too,
	// where an answer names them. "host", or "host:port" where the port is neither
	// BaseURL's nor the scheme's own.
	Hosts []string
	// Allow returns an error for an address to which no file may go when an upload is
	// sent on to a host that is not Centercode's. It is asked at each connection,
	// after DNS. nil: an upload is sent on to Centercode's own hosts only. Where
	// Centercode is on loopback, as the simulator is, what it sends on may be there
	// too, and is not asked about.
	Allow func(netip.AddrPort) error
	// TempDir holds a file of unknown size that Centercode takes only with its
	// length, while it is sent; "" is [os.TempDir].
	TempDir string
}

// Client speaks to one Centercode. It is safe for concurrent use.
type Client struct {
	base    *url.URL // no trailing slash, query, fragment or user
	hosts   []string
	http    *http.Client
	others  *http.Client // for uploads that are sent on to hosts not Centercode's; nil for none
	tempDir string
	secret  atomic.Pointer[secret] // of the latest API key
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
			return nil, fmt.Errorf("%q is not a valid URL path segment", s)
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return url.Parse(b.String())
}
