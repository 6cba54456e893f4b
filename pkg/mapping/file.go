package mapping

import (
	"time"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/testfairy"
)

// This file is the table of every key that fairbridge.yaml may have, but for
// those of a value (choice.go) and of an attachment (attachment.go). The decoder
// and the JSON Schema are made of it.

// defaultSettle is how long a look-up waits for a ticket to show up in the data
// package, where the file does not say.
const defaultSettle = 60 * time.Second

// Lookup says where a ticket can be found whose creation was not answered: in a
// feedback data package with a row a ticket.
type Lookup struct {
	Package      string        // the data package's key
	Column       string        // the column that holds the delivery id
	TicketColumn string        // the column that holds the ticket's id
	Settle       time.Duration // how long a new ticket may take to show up there
}

var lookupKind = object("a lookup", []key[Lookup]{
	into("package", "The key of the feedback data package.", keyNameKind, func(l *Lookup) *string { return &l.Package }).must(),
	into("column", "The title of its column that holds the delivery id.", plainKind, func(l *Lookup) *string { return &l.Column }).must(),
	into("ticketColumn", "The title of its column that holds the ticket's id.", plainKind, func(l *Lookup) *string { return &l.TicketColumn }).must(),
	into("settle", "How long a new ticket may take to show up in the data package.",
		durationKind, func(l *Lookup) *time.Duration { return &l.Settle }).byDefault("60s"),
}, func(d *decoder, n *yaml.Node, l *Lookup) bool {
	if valueOf(n, "settle") == n {
		l.Settle = defaultSettle
	}
	return true
})

// settings is what defaults may say for all routes, and a route for itself.
type settings struct {
	project, source string
	fields          []field
	attachments     *[]file
	onLostAnswer    string
	lookup          located[*Lookup]
	checked         bool
}

// The values of onLostAnswer.
const (
	Park  = "park"  // a dead letter: never two tickets
	Retry = "retry" // create again: never none
)

var settingKeys = []key[settings]{
	into("project", "The key of the Centercode project.", keyNameKind, func(s *settings) *string { return &s.project }),
	into("source", "The key of the project's External Source.", keyNameKind, func(s *settings) *string { return &s.source }),
	into("fields", "The parameters of the External Source and what each is sent. A route's are added to those of defaults, and replace those of the same name.",
		fieldsKind, func(s *settings) *[]field { return &s.fields }),
	into("attachments", "The files of the ticket. A route's replace those of defaults.",
		optional(listOf(fileKind, 0)), func(s *settings) **[]file { return &s.attachments }),
	into("onLostAnswer", "What to do when Centercode's answer to a new ticket was lost and no lookup tells: park it as a dead letter, or retry at the risk of a second ticket.",
		oneOf(Park, Retry), func(s *settings) *string { return &s.onLostAnswer }).byDefault(Park),
	into("lookup", "Where to look for the ticket when Centercode's answer was lost.",
		withNode(optional(lookupKind)), func(s *settings) *located[*Lookup] { return &s.lookup }),
}

// checked is set if nothing was wrong with the settings.
var defaultsKind = object("defaults", settingKeys, func(_ *decoder, _ *yaml.Node, s *settings) bool {
	s.checked = true
	return true
})

// rule is a route as the file spells it.
type rule struct {
	match  located[match]
	ignore bool
	settings
	node *yaml.Node // nil if something was wrong with the route
}

var routeKind = described(object("a route", append([]key[rule]{
	into("match", "Which events the route is for. The first route that matches takes the event.",
		withNode(matchKind), func(r *rule) *located[match] { return &r.match }).must(),
	into("ignore", "true: the event is answered, counted, and left at that.", boolKind, func(r *rule) *bool { return &r.ignore }).byDefault(false),
}, within(settingKeys, func(r *rule) *settings { return &r.settings })...),
	func(d *decoder, n *yaml.Node, r *rule) bool {
		if r.ignore && len(n.Content) > 4 {
			d.problem(n, "a route that ignores its events needs nothing but match", "take the other keys out, or ignore")
			return noted
		}
		if len(r.match.value.events) == 0 && !r.ignore {
			d.problem(r.match.node, "match does not say for which events the route is", "write event: feedback, or event: [feedback, crash]")
			return noted
		}
		r.node = n
		return true
	}), func(s *schema) {
	s.Rules = []keyword{
		{"if", map[string]any{"required": []string{"ignore"}, "properties": map[string]any{"ignore": isTrue}}},
		{"then", map[string]any{"propertyNames": map[string]any{"enum": []string{"match", "ignore"}}}},
		{"else", map[string]any{"properties": map[string]any{"match": map[string]any{"required": []string{"event"}}}}},
	}
})

var eventKinds = []string{
	string(testfairy.KindFeedback), string(testfairy.KindCrash), string(testfairy.KindUpload), string(testfairy.KindDownload),
}

var matchKind = object("match", []key[match]{
	into("event", "The kind of event, or a list of kinds.", oneOrMore(oneOf(eventKinds...)), func(m *match) *[]string { return &m.events }),
	into("app", "The app's name, or a list of names; * stands for any text.", oneOrMore(globKind), func(m *match) *[]glob { return &m.apps }),
	into("project", "The project's id in the event's buildUrl (10), with its name (10-demoapp), or with *; or a list.",
		oneOrMore(globKind), func(m *match) *[]glob { return &m.projects }),
	into("version", "The app's version as a range: \">=2.1 <3\", \"^2.1\", \"2.*\", \"1.0 || 2.0\".",
		refine(plainKind, parseRange), func(m *match) *versionRange { return &m.versions }),
	into("when", "A template that must yield true.", templateKind, func(m *match) **compiled { return &m.when }),
}, nil)

// top is the whole file.
type top struct {
	centercode Centercode
	testfairy  *TestFairy // nil: not given
	sources    Sources
	defaults   *settings
	routes     []rule
}

var topKind = object("the file", []key[top]{
	into("centercode", "The Centercode site that gets the tickets. Without it, `fairbridge run` uses a simulator.",
		centercodeKind, func(t *top) *Centercode { return &t.centercode }),
	into("testfairy", "The TestFairy account that attachments are asked for with, where they say auth or session. Its API key is the secret testfairy-api-key.",
		optional(testFairyKind), func(t *top) **TestFairy { return &t.testfairy }),
	into("sources", "Where attachments may be fetched from.", sourcesKind, func(t *top) *Sources { return &t.sources }),
	into("defaults", "What all routes have in common; a route may say otherwise.", optional(defaultsKind), func(t *top) **settings { return &t.defaults }),
	into("routes", "Which event goes where. The first route that matches takes it.", listOf(ofKinds(routeKind), 1), func(t *top) *[]rule { return &t.routes }).must(),
}, nil)

var centercodeKind = object("centercode", []key[Centercode]{
	into("baseUrl", "The site's address, https only.", baseURLKind, func(c *Centercode) *string { return &c.BaseURL }).must(),
}, nil)

var sourcesKind = object("sources", []key[Sources]{
	into("hosts", "The hosts that files may come from, in place of TestFairy's own; *.example.com is every host below example.com.",
		listOf(hostKind, 1), func(s *Sources) *[]string { return &s.Hosts }),
	into("allowLoopback", "Whether files may come from this machine. For tests.", boolKind, func(s *Sources) *bool { return &s.AllowLoopback }).byDefault(false),
	into("resolve", "Hosts that a simulator on this machine plays, and where it does. For tests.",
		mapOf(loopbackKind), func(s *Sources) *map[string]string { return &s.Resolve }),
	into("maxBytes", "The largest file that is passed on, at most Centercode's own limit.", sizeKind, func(s *Sources) *int64 { return &s.MaxBytes }).byDefault("2 GiB"),
}, nil)
