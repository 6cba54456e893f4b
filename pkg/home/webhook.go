package home

import (
	"errors"
	"fmt"
	"net/url"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/internal/loopback"
)

// ParseWebhook parses an address that a token will be sent to. Its errors do not contain
// the address, which may include a token.
func ParseWebhook(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("the webhook's URL must be like https://bridge.example.com%s", ingest.Path)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback.IsHost(u.Hostname())):
		return nil, errors.New("the webhook's URL must start with https:// (http:// on this machine only), since the token is in it")
	}
	return u, nil
}

// WithToken adds the token to a webhook's address. The errors are those of
// [ParseWebhook].
func WithToken(address, token string) (string, error) {
	u, err := ParseWebhook(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("token", token)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// LocalWebhook returns the webhook of a bridge that listens on this machine, with the token
// if it is not "".
func LocalWebhook(listen, token string) string {
	u := url.URL{Scheme: "http", Host: loopback.Reachable(listen), Path: ingest.Path}
	if token != "" {
		u.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return u.String()
}
