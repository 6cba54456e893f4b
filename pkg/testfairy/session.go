package testfairy

import (
	"net/url"
	"strings"
	"unicode"
)

// SessionIDs extracts a session's three ids from the URL of its page,
// https://app.testfairy.com/projects/{project}/builds/{build}/sessions/{session}, or from
// any URL below that page, such as a screenshot's. TestFairy's REST API needs these ids. A
// project's id is returned as in the URL, with its readable suffix ("10-demoapp").
//
// The ids are decoded, so they have to be escaped in a URL; none is empty or could change a
// path ("..", a slash). ok is false if sessionURL has no such path.
func SessionIDs(sessionURL string) (project, build, session string, ok bool) {
	u, err := url.Parse(sessionURL)
	if err != nil {
		return "", "", "", false
	}
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	names := []string{"projects", "builds", "sessions"}
	ids := make([]string, len(names))
	if len(segments) < 2*len(names) {
		return "", "", "", false
	}
	for i, name := range names {
		id, err := url.PathUnescape(segments[2*i+1])
		if segments[2*i] != name || err != nil || !isPathID(id) {
			return "", "", "", false
		}
		ids[i] = id
	}
	return ids[0], ids[1], ids[2], true
}

// isPathID reports whether id can be one segment of a path.
func isPathID(id string) bool {
	return id != "" && id != "." && id != ".." &&
		!strings.ContainsAny(id, `/\`) && !strings.ContainsFunc(id, unicode.IsControl)
}
