package attachment

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"fairbridge/pkg/internal/loopback"
)

// hostList is a list of host names in lower case: "example.com" is that host alone,
// "*.example.com" is every host below it.
type hostList []string

func newHostList(entries []string) (hostList, error) {
	list := make(hostList, 0, len(entries))
	for _, entry := range entries {
		entry = lowerASCII(entry)
		name := strings.TrimPrefix(entry, "*.")
		if err := checkHostName(name); err != nil {
			return nil, fmt.Errorf("host %q: %w", entry, err)
		}
		if name != entry && !strings.Contains(name, ".") {
			return nil, fmt.Errorf("host %q: a whole top-level domain", entry)
		}
		list = append(list, entry)
	}
	return list, nil
}

func (l hostList) has(host string) bool {
	return slices.ContainsFunc(l, func(entry string) bool {
		below, wildcard := strings.CutPrefix(entry, "*")
		return host == entry || wildcard && strings.HasSuffix(host, below)
	})
}

// loopbackBase parses the base URL of a Config.Resolve entry.
func loopbackBase(raw string) (*url.URL, error) {
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return nil, err
	case !loopback.IsHost(u.Hostname()):
		return nil, errors.New("not a loopback address")
	case strings.ContainsAny(raw, "?#"):
		return nil, errors.New("a query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// restHost returns the host of Config.REST.
func restHost(raw string) (string, error) {
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return "", err
	case u.Scheme != "https":
		return "", errors.New("not https")
	}
	return u.Hostname(), checkHostName(u.Hostname())
}

// signInWords are how sign-in pages are named, as a path segment or a host's first label.
var signInWords = []string{
	"login", "log-in", "log_in", "logon", "signin", "sign-in", "sign_in",
	"sso", "saml", "saml2", "oauth", "oauth2", "authorize",
}

// isSignIn reports whether u looks like a sign-in page. The result only changes the message
// of a failure, or saves a download: the content of such a page is refused by its type in
// any case.
func isSignIn(u *url.URL) bool {
	label, _, _ := strings.Cut(lowerASCII(u.Hostname()), ".")
	if slices.Contains(signInWords, label) || label == "accounts" {
		return true
	}
	for segment := range strings.SplitSeq(lowerASCII(u.Path), "/") {
		if slices.Contains(signInWords, strings.TrimSuffix(segment, path.Ext(segment))) {
			return true
		}
	}
	return false
}
