package mapping

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/testfairy"
)

// Attachment is a file to add to the ticket.
type Attachment struct {
	Element string // the key of the form's file element
	URL     string // where the file is; never empty
	Want    string // the expected kind of file: WantFile, WantImage or WantREST
	Account string // the TestFairy account for the request; empty: none
	// Renewal is how to get the current URL from TestFairy; empty if URL did not come from
	// its REST API.
	Renewal  Renewal
	Filename string // at Centercode; empty: the name in the URL
	Field    string // of the multipart form
	Optional bool   // the ticket is complete without it
	// OnLostAnswer is what to do if Centercode's answer to the file was lost: Retry, at the
	// risk of the same file twice on the ticket, or Park.
	OnLostAnswer string
	Endpoint     string // as configured; empty: the one in Centercode's answer. See EndpointFor
}

// Renewal is how to get a screenshot's URL with a new signature when the old one has
// expired: whenever TestFairy lists the feedbacks of an account, it signs their URLs again.
type Renewal struct {
	List    string // the list's URL
	Account string // the TestFairy account for the request
}

// The values of Attachment.Want, which are those of pkg/attachment.
const (
	WantFile  = ""      // anything except a web page
	WantImage = "image" // a picture
	WantREST  = "rest"  // an answer of TestFairy's REST API
)

// ticketPlace is the placeholder in an Endpoint for the ticket's id, which is not known
// before the ticket exists.
const ticketPlace = "{ticketId}"

// EndpointFor returns the configured endpoint of the ticket, or "" if there is none.
func (a Attachment) EndpointFor(ticketID string) string {
	return strings.ReplaceAll(a.Endpoint, ticketPlace, url.PathEscape(ticketID))
}

// file is one attachment as the file describes it.
type file struct {
	from, filename, endpoint      expression
	element, field, want, session string
	onLostAnswer                  string
	optional                      bool
	auth                          strictyaml.Located[string]
	node                          *yaml.Node
	// needsAccount is the node that requires the TestFairy account, or nil.
	needsAccount *yaml.Node
}

// The values of session, want and auth.
const (
	sessionLog    = "log"
	sessionMeta   = "meta"
	sessionEvents = "events"

	wantImage = "image"
	wantFile  = "file"

	authTestFairy = "testfairy"
)

// defaultFileField is the multipart field of a file. Centercode does not document its name.
const defaultFileField = "file"

var fileKind = strictyaml.Described(strictyaml.Object("an attachment", []strictyaml.Key[file]{
	strictyaml.Into("from", "A template for the file's URL. If it is empty, there is nothing to attach. Either from or session is required.",
		expressionKind, func(f *file) *expression { return &f.from }),
	strictyaml.Into("session", "Instead of from: data from TestFairy's REST API about the session in the event's sessionUrl: its log (text), metadata or events (JSON). Requires testfairy.user.",
		strictyaml.OneOf(sessionLog, sessionMeta, sessionEvents), func(f *file) *string { return &f.session }),
	strictyaml.Into("element", "The key of the form's file element.", strictyaml.Plain, func(f *file) *string { return &f.element }).Must(),
	strictyaml.Into("want", "The expected kind of file: an image, or any file except a web page. The default is image if from reads screenshotUrl or iconUrl.",
		strictyaml.OneOf(wantImage, wantFile), func(f *file) *string { return &f.want }),
	strictyaml.Into("auth", "testfairy: request the file with the credentials of the TestFairy account. They are sent to TestFairy's own hosts only. Requires testfairy.user.",
		strictyaml.WithNode(strictyaml.OneOf(authTestFairy)), func(f *file) *strictyaml.Located[string] { return &f.auth }),
	strictyaml.Into("filename", "A template for the file's name at Centercode; the default is the name in the URL.",
		expressionKind, func(f *file) *expression { return &f.filename }),
	strictyaml.Into("field", "The name of the file's multipart form field.", strictyaml.Plain, func(f *file) *string { return &f.field }).ByDefault(defaultFileField),
	strictyaml.Into("optional", "Whether the ticket is complete if the file cannot be fetched; if not, the delivery becomes a dead letter.",
		strictyaml.Bool, func(f *file) *bool { return &f.optional }).ByDefault(false),
	strictyaml.Into("endpoint", "A template for the URL that the file is uploaded to, if Centercode's answer does not contain it, or there is a lookup. .ticketId is the new ticket's id.",
		expressionKind, func(f *file) *expression { return &f.endpoint }),
	strictyaml.Into("onLostAnswer", "What to do if Centercode's answer to the file was lost: retry, at the risk of a duplicate file, or park the delivery as a dead letter.",
		strictyaml.OneOf(Park, Retry), func(f *file) *string { return &f.onLostAnswer }).ByDefault(Retry),
}, checkFile), func(s *strictyaml.Schema) {
	s.AnyOf = []strictyaml.Schema{{Required: []string{"from"}}, {Required: []string{"session"}}}
})

func checkFile(d *strictyaml.Decoder, n *yaml.Node, f *file) bool {
	f.node = n
	f.field = cmp.Or(f.field, defaultFileField)
	f.onLostAnswer = cmp.Or(f.onLostAnswer, Retry)
	switch {
	case !f.from.given() && f.session == "":
		d.Problem(n, `an attachment needs the key "from" or "session"`, `from: "{{ .screenshotUrl }}", or session: log`)
		return noted
	case f.from.given() && f.session != "":
		d.Problem(strictyaml.ValueOf(n, "session"), "from and session exclude each other", "remove one of the two")
		return noted
	case f.session != "" && (f.want != "" || f.auth.Node != nil):
		d.Problem(strictyaml.ValueOf(n, "session"), "session already implies the kind of file and the account", "remove want and auth")
		return noted
	case f.endpoint.given() && strings.Contains(strings.ToLower(f.endpoint.Source()), "apikey="):
		d.Problem(strictyaml.ValueOf(n, "endpoint"), "an endpoint must not contain the API key", "remove it: it is a secret, and is added when the file is sent")
		return noted
	}
	if f.needsAccount = f.auth.Node; f.session != "" {
		f.needsAccount = strictyaml.ValueOf(n, "session")
	}
	// A sign-in page, or anything else with status 200, must not be attached to a ticket as
	// its screenshot.
	if f.want == "" && (f.from.Reads("screenshotUrl") || f.from.Reads("iconUrl")) {
		f.want = wantImage
	}
	return true
}

// withoutAccount reports attachments that need the TestFairy account if the file has none.
func withoutAccount(d *strictyaml.Decoder, t top) {
	if t.testfairy != nil {
		return
	}
	all := t.defaults.attachments
	for _, r := range t.routes {
		all = slices.Concat(all, r.attachments)
	}
	for _, f := range all {
		if f.needsAccount != nil {
			d.Problem(f.needsAccount, "the TestFairy account is not named", "write testfairy: {user: you@example.com} at the top of the file")
		}
	}
}

// attachment returns an attachment, without a URL if the event has no file for it. ok is
// false after an error.
func (m *mapper) attachment(f file) (Attachment, bool) {
	key := "attachments." + f.element
	a := Attachment{Element: f.element, Field: f.field, Optional: f.optional, OnLostAnswer: f.onLostAnswer}
	ok := true
	render := func(name string, t expression) string {
		s, ran := m.run(f.node.Line, key+"."+name, t)
		ok = ok && ran
		return strings.TrimSpace(s)
	}
	a.URL = render("from", f.from)
	a.Filename = render("filename", f.filename)
	a.Endpoint = m.e.With("ticketId", ticketPlace, func() string { return render("endpoint", f.endpoint) })
	if f.want == wantImage {
		a.Want = WantImage
	}
	if f.needsAccount != nil {
		a.Account = m.testfairy.User
	}
	if f.session != "" {
		ok = m.session(f, &a) && ok
	}
	if m.event.Text(testfairy.FieldReconciled) != "" && a.URL == strings.TrimSpace(m.event.Text("screenshotUrl")) {
		a.Renewal = m.testfairy.renewal(m.event.Text("sessionUrl"))
	}
	return a, ok
}

// session sets the URL of a part of the event's session. It returns false after an error.
func (m *mapper) session(f file, a *Attachment) bool {
	page := m.event.Text("sessionUrl")
	if page == "" {
		return true
	}
	key := "attachments." + f.element + ".session"
	api, name, err := m.testfairy.session(page, f.session)
	switch {
	case err != nil && f.optional:
		m.warn(key, "nothing to attach: "+err.Error(), page)
		return false
	case err != nil:
		m.fail(f.node.Line, key, err.Error(), page, err)
		return false
	}
	a.URL, a.Want = api, WantREST
	a.Filename = cmp.Or(a.Filename, name)
	return true
}
