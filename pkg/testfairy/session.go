package testfairy

import (
	"net/url"
	"strings"
	"unicode"
)

// SessionIDs takes a session's three ids out of its page's URL,
// https://app.testfairy.com/projects/{project}/builds/{build}/sessions/{session},
// and out of any URL below that page, such as a screenshot's. They are what
// TestFairy's REST API asks for. A project's id comes as it stands in the URL,
// with its readable tail ("10-demoapp").
//
// The ids are decoded, so whoever builds a URL of them must escape them; none
// is empty or could change a path ("..", a slash). ok is false if sessionURL
// has no such path.
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

// isPathID reports whether id can stand as one segment of a path.
func isPathID(id string) bool {
	return id != "" && id != "." && id != ".." &&
		!strings.ContainsAny(id, `/\`) && !strings.ContainsFunc(id, unicode.IsControl)
}
