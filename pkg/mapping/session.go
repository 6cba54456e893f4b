package mapping

import (
	"errors"
	"net/url"
	"strings"

	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/testfairy"
)

var testFairyKind = strictyaml.Object("testfairy", []strictyaml.Key[TestFairy]{
	strictyaml.Into("user", "The account's email address.", accountKind, func(t *TestFairy) *string { return &t.User }).Must(),
	strictyaml.Into("baseUrl", "The REST API's address. By default it follows from the event's sessionUrl: https://mobile.saucelabs.com, https://mobile.eu-central-1.saucelabs.com, or https://api.testfairy.com for all of testfairy.com.",
		restBaseKind, func(t *TestFairy) *string { return &t.BaseURL }),
}, nil)

// accountKind is an email address. Only one thing matters: it cannot contain a colon (HTTP
// Basic, RFC 7617, 2).
var accountKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	if !strings.Contains(s, "@") || strings.ContainsAny(s, ": \t\n") {
		return "", strictyaml.Mistake("not an email address; write the TestFairy account's")
	}
	return s, nil
}), func(s *strictyaml.Schema) {
	s.Types, s.Pattern, s.Examples = []string{"string"}, "@", []any{"you@example.com"}
})

// restBaseKind is the base URL of TestFairy's REST API. Paths start with /api/1/
// everywhere, so it has no path.
var restBaseKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != strings.ToLower(u.Hostname()) || !hostPattern().MatchString(u.Host) ||
		strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", strictyaml.Mistake("not the address of a REST API; write https:// and the host, without a path: https://mobile.eu-central-1.saucelabs.com")
	}
	return "https://" + u.Host, nil
}), func(s *strictyaml.Schema) {
	s.Types, s.Pattern, s.Examples = []string{"string"}, "^https://", []any{"https://mobile.eu-central-1.saucelabs.com"}
})

// sessionFields are the REST API's names for the values of session.
var sessionFields = map[string]string{sessionLog: "logs", sessionMeta: "meta", sessionEvents: "events"}

// session returns the REST API's URL for a part of the session whose page is at pageURL,
// and a file name for it.
func (t TestFairy) session(pageURL, part string) (api, name string, err error) {
	u, err := url.Parse(pageURL)
	if err != nil {
		return "", "", errors.New("sessionUrl is not a URL")
	}
	project, build, session, ok := testfairy.SessionIDs(pageURL)
	if !ok {
		return "", "", errors.New("sessionUrl is not the page of a session")
	}
	base := t.restBase(u)
	if base == "" {
		return "", "", errors.New("sessionUrl is not on a known TestFairy site: set testfairy.baseUrl")
	}
	api = base + "/api/1/projects/" + url.PathEscape(project) + "/builds/" + url.PathEscape(build) +
		"/sessions/" + url.PathEscape(session) + "/?fields=" + sessionFields[part]
	name = "session-" + session + "-" + part + ".json"
	if part == sessionLog {
		name = "session-" + session + ".log"
	}
	return api, name, nil
}

// renewal returns how to ask the account of a session for its feedbacks; nothing if no
// account is configured, or its REST API is not known.
func (t TestFairy) renewal(pageURL string) Renewal {
	u, err := url.Parse(pageURL)
	if err != nil || t.User == "" || t.restBase(u) == "" {
		return Renewal{}
	}
	return Renewal{List: t.restBase(u) + "/api/1/feedbacks/", Account: t.User}
}

// restBase returns the REST API of the TestFairy that a page belongs to, or "": the
// configured one, or one of the three in TestFairy's documentation.
func (t TestFairy) restBase(page *url.URL) string {
	switch host := strings.ToLower(page.Hostname()); {
	case t.BaseURL != "":
		return t.BaseURL
	case host == "testfairy.com" || strings.HasSuffix(host, ".testfairy.com"):
		return "https://api.testfairy.com"
	case host == "mobile.saucelabs.com" || host == "mobile.eu-central-1.saucelabs.com":
		return "https://" + host
	}
	return ""
}
