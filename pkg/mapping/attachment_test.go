package mapping

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attachments maps the documented feedback, with changes, by a route with these
// attachments, indented by the caller.
func attachments(t *testing.T, account, list string, changes map[string]any) (Request, error) {
	t.Helper()
	c := mustParse(t, account+"\n"+route("      x: y\n    attachments:\n"+list))
	return c.Map(input(t, with(t, feedback, changes)))
}

const account = "testfairy: {user: ops@example.com}"

func TestSessionAttachments(t *testing.T) {
	const (
		us     = "https://mobile.saucelabs.com"
		eu     = "https://mobile.eu-central-1.saucelabs.com"
		legacy = "https://api.testfairy.com"
		own    = "https://testfairy.example.com"
		page   = "/projects/10-demoapp/builds/584120/sessions/1"
		api    = "/api/1" + page + "/?fields="
	)
	ownBase := "testfairy: {user: ops@example.com, baseUrl: " + own + "/}"
	tests := []struct {
		name, account, part, page string
		url, file                 string // either a URL or a file of a session
		problem                   string
	}{
		{"log", account, "log", us + page, us + api + "logs", "session-1.log", ""},
		{"meta", account, "meta", us + page, us + api + "meta", "session-1-meta.json", ""},
		{"events", account, "events", us + page, us + api + "events", "session-1-events.json", ""},
		{"Europe", account, "log", eu + page, eu + api + "logs", "session-1.log", ""},
		{"legacy", account, "log", "https://app.testfairy.com" + page, legacy + api + "logs", "session-1.log", ""},
		{"legacy, bare", account, "log", "https://TestFairy.com" + page, legacy + api + "logs", "session-1.log", ""},
		{"a base of one's own", ownBase, "log", own + page, own + api + "logs", "session-1.log", ""},
		{"the base decides", ownBase, "log", us + page, own + api + "logs", "session-1.log", ""},
		{"escaped", account, "log", us + "/projects/a%3Fb%26c/builds/5/sessions/1",
			us + "/api/1/projects/a%3Fb&c/builds/5/sessions/1/?fields=logs", "session-1.log", ""},
		{"below the page", account, "log", us + page + "/screenshots/1.jpg?x=y", us + api + "logs", "session-1.log", ""},
		{"no session", account, "log", "", "", "", ""},
		{"a build", account, "log", us + "/projects/10/builds/5", "", "", "sessionUrl is not the page of a session"},
		{"up the tree", account, "log", us + "/projects/%2e%2e/builds/5/sessions/1", "", "", "sessionUrl is not the page of a session"},
		{"elsewhere", account, "log", "https://example.com" + page, "", "", "sessionUrl is not on a known TestFairy site: set testfairy.baseUrl"},
		{"a look-alike", account, "log", "https://eviltestfairy.com" + page, "", "", "sessionUrl is not on a known TestFairy site: set testfairy.baseUrl"},
		{"no URL", account, "log", "http://[", "", "", "sessionUrl is not a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := attachments(t, tt.account, "      - {session: "+tt.part+", element: s}", map[string]any{"sessionUrl": tt.page})
			if tt.problem != "" {
				var field *FieldError
				if !errors.As(err, &field) || field.Field != "attachments.s.session" || field.Problem != tt.problem {
					t.Errorf("error %v, want %s", err, tt.problem)
				}
				// An optional attachment does not prevent the ticket.
				req, err = attachments(t, tt.account, "      - {session: log, element: s, optional: true}", map[string]any{"sessionUrl": tt.page})
				if err != nil || len(req.Attachments) != 0 || len(req.Warnings) != 1 || !strings.HasSuffix(req.Warnings[0].Problem, tt.problem) {
					t.Errorf("%+v, %v", req, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.url == "" {
				if len(req.Attachments) != 0 || len(req.NotAttached) != 1 || len(req.Warnings) != 0 {
					t.Errorf("%+v", req)
				}
				return
			}
			want := Attachment{Element: "s", URL: tt.url, Want: WantREST, Account: "ops@example.com", Filename: tt.file, Field: "file", OnLostAnswer: Retry}
			if len(req.Attachments) != 1 || req.Attachments[0] != want {
				t.Errorf("%+v, want %+v", req.Attachments, want)
			}
		})
	}
}

// TestRenewal checks that only the screenshot of a reconciled feedback can be fetched from
// another URL, and only with an account whose REST API is known.
func TestRenewal(t *testing.T) {
	const from = `      - {from: "{{ .screenshotUrl }}", element: e}`
	reconciled := map[string]any{"reconciled": "77"}
	renewal := Renewal{List: "https://api.testfairy.com/api/1/feedbacks/", Account: "ops@example.com"}
	for name, tt := range map[string]struct {
		account, list string
		changes       map[string]any
		want          Renewal
	}{
		"reconciled":      {account, from, reconciled, renewal},
		"a webhook's":     {account, from, nil, Renewal{}},
		"without account": {"", from, reconciled, Renewal{}},
		"another file":    {account, `      - {from: "{{ .buildUrl }}/a", element: e}`, reconciled, Renewal{}},
		"elsewhere":       {account, from, map[string]any{"reconciled": "77", "sessionUrl": "https://example.com/x"}, Renewal{}},
		"without session": {"testfairy: {user: ops@example.com, baseUrl: https://tf.example.com}", from,
			map[string]any{"reconciled": "77", "sessionUrl": nil}, Renewal{List: "https://tf.example.com/api/1/feedbacks/", Account: "ops@example.com"}},
	} {
		req, err := attachments(t, tt.account, tt.list, tt.changes)
		if err != nil || len(req.Attachments) != 1 || req.Attachments[0].Renewal != tt.want {
			t.Errorf("%s: %+v, %v", name, req.Attachments, err)
		}
	}
}

// TestWhatAnAttachmentMustBe checks that a screenshot must be a picture unless the file
// allows more, and that the account's credentials are used only if the file asks for it.
func TestWhatAnAttachmentMustBe(t *testing.T) {
	for list, want := range map[string]Attachment{
		`{from: "{{ .screenshotUrl }}", element: e}`:                                  {Want: WantImage},
		`{from: "{{ .screenshotUrl }}", element: e, want: file}`:                      {Want: WantFile},
		`{from: "{{ .screenshotUrl | default .iconUrl }}", element: e}`:               {Want: WantImage},
		`{from: "{{ with $.screenshotUrl }}{{ . }}{{ end }}", element: e}`:            {Want: WantImage},
		`{from: "{{ .buildUrl }}/a", element: e}`:                                     {Want: WantFile},
		`{from: "{{ .buildUrl }}/a", element: e, want: image}`:                        {Want: WantImage},
		`{from: "https://app.testfairy.com/a", element: e}`:                           {Want: WantFile},
		`{from: "{{ .screenshotUrl }}", element: e, auth: testfairy}`:                 {Want: WantImage, Account: "ops@example.com"},
		`{from: "{{ .buildUrl }}/a.txt", element: e, auth: testfairy}`:                {Want: WantFile, Account: "ops@example.com"},
		`{session: log, element: e, filename: "{{ .appName }}.log", optional: false}`: {Want: WantREST, Account: "ops@example.com", Filename: "Demo App.log"},
	} {
		req, err := attachments(t, account, "      - "+list, nil)
		if err != nil || len(req.Attachments) != 1 {
			t.Errorf("%s: %+v, %v", list, req, err)
			continue
		}
		got := req.Attachments[0]
		if got.Want != want.Want || got.Account != want.Account || got.Filename != want.Filename {
			t.Errorf("%s: %+v, want %+v", list, got, want)
		}
	}
}

func TestUsesAccount(t *testing.T) {
	for list, want := range map[string]bool{
		`[]`: false,
		`[{from: "{{ .screenshotUrl }}", element: e}]`:                  false,
		`[{from: "{{ .screenshotUrl }}", element: e, auth: testfairy}]`: true,
		`[{session: events, element: e}]`:                               true,
	} {
		c := mustParse(t, account+"\ndefaults: {attachments: "+list+"}\n"+route("      x: y"))
		if got := c.UsesAccount(); got != want {
			t.Errorf("%s: %t", list, got)
		}
	}
}

// FuzzSession checks that a sessionUrl can only lead to a session of the REST API.
func FuzzSession(f *testing.F) {
	f.Add("https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1")
	f.Add("https://mobile.saucelabs.com/projects/a%3Fb/builds/%2e%2e/sessions/%2f")
	f.Add("https://x.testfairy.com:8443/projects/1/builds/2/sessions/3?fields=meta#x")
	path := regexp.MustCompile(`^/api/1/projects/[^/]+/builds/[^/]+/sessions/[^/]+/$`)
	f.Fuzz(func(t *testing.T, page string) {
		api, name, err := TestFairy{}.session(page, sessionLog)
		if err != nil {
			return
		}
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		known := []string{"api.testfairy.com", "mobile.saucelabs.com", "mobile.eu-central-1.saucelabs.com"}
		if u.Scheme != "https" || !slices.Contains(known, u.Host) || !path.MatchString(u.EscapedPath()) || u.RawQuery != "fields=logs" || u.User != nil {
			t.Errorf("%q leads to %s", page, api)
		}
		if cleaned := u.JoinPath().EscapedPath(); cleaned != u.EscapedPath() {
			t.Errorf("%q has an ambiguous path: %s, %s", page, u.EscapedPath(), cleaned)
		}
		if name == "" {
			t.Errorf("%q has no name", page)
		}
	})
}
