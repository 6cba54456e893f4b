package attachment

import (
	"errors"
	"net/url"

	"fairbridge/pkg/testfairy"
)

// SessionPart is what TestFairy's REST API tells of a session.
type SessionPart string

const (
	SessionLog    SessionPart = "logs"   // text
	SessionMeta   SessionPart = "meta"   // JSON
	SessionEvents SessionPart = "events" // JSON
)

// SessionURL returns where TestFairy's REST API keeps a part of the session
// whose page, or a page below it, is sessionURL. It is fetched with
// OpenRequest.Auth and WantREST.
func SessionURL(sessionURL string, part SessionPart) (string, error) {
	u, err := parseURL(sessionURL)
	if err != nil {
		return "", err
	}
	project, build, session, ok := testfairy.SessionIDs(sessionURL)
	if !ok {
		return "", errors.New("not a session's URL")
	}
	host := u.Hostname()
	switch {
	case hostList{"testfairy.com", "*.testfairy.com"}.has(host):
		host = "api.testfairy.com"
	case !hostList(DefaultAuthHosts()).has(host):
		return "", errors.New("not a session at TestFairy")
	}
	api := url.URL{Scheme: "https", Host: host}
	api = *api.JoinPath("api/1/projects", url.PathEscape(project),
		"builds", url.PathEscape(build), "sessions", url.PathEscape(session), "/")
	api.RawQuery = url.Values{"fields": {string(part)}}.Encode()
	return api.String(), nil
}
