package mapping

import (
	"time"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/internal/suggest"
	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/testfairy"
)

// This file is the table of every key of fairbridge.yaml, except those of a value
// (choice.go) and of an attachment (attachment.go). The decoder and the JSON Schema are
// made from it.

// defaultSettle is the default time that a new ticket may take to appear in the data
// package.
const defaultSettle = 60 * time.Second

// Lookup is where to find a ticket whose creation was not answered: a feedback data package
// with one row for each ticket.
type Lookup struct {
	Package      string        // the data package's key
	Column       string        // the column that holds the delivery id
	TicketColumn string        // the column that holds the ticket's id
	Settle       time.Duration // how long a new ticket may take to appear there
}

var lookupKind = strictyaml.Object("a lookup", []strictyaml.Key[Lookup]{
	strictyaml.Into("package", "The key of the feedback data package.", keyNameKind, func(l *Lookup) *string { return &l.Package }).Must(),
	strictyaml.Into("column", "The title of the column with the delivery id.", strictyaml.Plain, func(l *Lookup) *string { return &l.Column }).Must(),
	strictyaml.Into("ticketColumn", "The title of the column with the ticket's id.", strictyaml.Plain, func(l *Lookup) *string { return &l.TicketColumn }).Must(),
	strictyaml.Into("settle", "How long a new ticket may take to appear in the data package.",
		settleKind, func(l *Lookup) *time.Duration { return &l.Settle }).ByDefault("60s"),
}, func(d *strictyaml.Decoder, n *yaml.Node, l *Lookup) bool {
	if strictyaml.ValueOf(n, "settle") == n {
		l.Settle = defaultSettle
	}
	return true
})

// settings are what defaults may set for all routes, and each route for itself.
type settings struct {
	project, source string
	fields          []field
	attachments     []file // nil: not given
	onLostAnswer    string
	lookup          strictyaml.Located[*Lookup]
	checked         bool
}

// The values of onLostAnswer.
const (
	Park  = "park"  // a dead letter: never a second ticket or file
	Retry = "retry" // send it again: never none
)

var settingKeys = []strictyaml.Key[settings]{
	strictyaml.Into("project", "The key of the Centercode project.", keyNameKind, func(s *settings) *string { return &s.project }),
	strictyaml.Into("source", "The key of the project's External Source.", keyNameKind, func(s *settings) *string { return &s.source }),
	strictyaml.Into("fields", "The parameters of the External Source and their values. A route's are added to those of defaults, and replace those of the same name.",
		fieldsKind, func(s *settings) *[]field { return &s.fields }),
	strictyaml.Into("attachments", "The ticket's files. A route's replace those of defaults.",
		strictyaml.ListOf(fileKind, 0), func(s *settings) *[]file { return &s.attachments }),
	strictyaml.Into("onLostAnswer", "What to do if Centercode's answer to a new ticket was lost and there is no lookup: park the delivery as a dead letter, or retry at the risk of a second ticket.",
		strictyaml.OneOf(Park, Retry), func(s *settings) *string { return &s.onLostAnswer }).ByDefault(Park),
	strictyaml.Into("lookup", "Where to look for the ticket if Centercode's answer was lost.",
		strictyaml.WithNode(strictyaml.Optional(lookupKind)), func(s *settings) *strictyaml.Located[*Lookup] { return &s.lookup }),
}

// checked is set if the settings are valid.
var defaultsKind = strictyaml.Object("defaults", settingKeys, func(_ *strictyaml.Decoder, _ *yaml.Node, s *settings) bool {
	s.checked = true
	return true
})

// rule is a route as written in the file.
type rule struct {
	match  strictyaml.Located[match]
	ignore bool
	settings
	node *yaml.Node // nil if the route is invalid
}

var routeKind = strictyaml.Described(strictyaml.Object("a route", append([]strictyaml.Key[rule]{
	strictyaml.Into("match", "Which events the route is for. The first route that matches an event is used.",
		strictyaml.WithNode(matchKind), func(r *rule) *strictyaml.Located[match] { return &r.match }).Must(),
	strictyaml.Into("ignore", "true: the event is answered and counted, and nothing else happens.", strictyaml.Bool, func(r *rule) *bool { return &r.ignore }).ByDefault(false),
}, strictyaml.Within(settingKeys, func(r *rule) *settings { return &r.settings })...),
	func(d *strictyaml.Decoder, n *yaml.Node, r *rule) bool {
		if r.ignore && len(n.Content) > 4 {
			d.Problem(n, "a route with ignore: true can only have match", "remove the other keys, or ignore")
			return noted
		}
		if len(r.match.Value.events) == 0 && !r.ignore {
			d.Problem(r.match.Node, "match has no event", "write event: feedback, or event: [feedback, crash]")
			return noted
		}
		r.node = n
		return true
	}), func(s *strictyaml.Schema) {
	s.If = map[string]any{"required": []string{"ignore"}, "properties": map[string]any{"ignore": isTrue}}
	s.Then = map[string]any{"propertyNames": map[string]any{"enum": []string{"match", "ignore"}}}
	s.Else = map[string]any{"properties": map[string]any{"match": map[string]any{"required": []string{"event"}}}}
})

// eventKinds are the documented kinds of events.
var eventKinds = []string{
	string(testfairy.KindFeedback), string(testfairy.KindCrash), string(testfairy.KindUpload), string(testfairy.KindDownload), string(testfairy.KindNewUDID),
}

// eventKind is a kind of event in lower case. TestFairy may have undocumented kinds, but a
// kind that looks like a misspelt one is refused.
var eventKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	s = fold(s)
	if near := suggest.Nearest(s, eventKinds); near != "" && near != s {
		return "", strictyaml.Mistake("unknown value " + strictyaml.Quote(s) + "; " + suggest.Hint(s, eventKinds))
	}
	return s, nil
}), func(s *strictyaml.Schema) {
	undocumented := *s
	s.Types, s.Pattern, s.AnyOf = nil, "", []strictyaml.Schema{{Types: []string{"string"}, Enum: eventKinds}, undocumented}
})

var matchKind = strictyaml.Object("match", []strictyaml.Key[match]{
	strictyaml.Into("event", "The kind of event, or a list of kinds.", strictyaml.OneOrMore(eventKind), func(m *match) *[]string { return &m.events }),
	strictyaml.Into("app", "The app's name, or a list of names; * matches any text.", strictyaml.OneOrMore(globKind), func(m *match) *[]glob { return &m.apps }),
	strictyaml.Into("project", "The project's id in the event's buildUrl (10), with its name (10-demoapp), or with *; or a list.",
		strictyaml.OneOrMore(globKind), func(m *match) *[]glob { return &m.projects }),
	strictyaml.Into("version", "The app's version as a range: \">=2.1 <3\", \"^2.1\", \"2.*\", \"1.0 || 2.0\".",
		strictyaml.Refine(strictyaml.Plain, parseRange), func(m *match) *versionRange { return &m.versions }),
	strictyaml.Into("when", "A template that must produce true.", expressionKind, func(m *match) *expression { return &m.when }),
}, nil)

// top is the whole file.
type top struct {
	centercode Centercode
	testfairy  *TestFairy // nil: not given
	sources    Sources
	defaults   *settings
	retry      RetrySettings
	ledger     LedgerSettings
	routes     []rule
}

var topKind = strictyaml.Object("the file", []strictyaml.Key[top]{
	strictyaml.Into("centercode", "The Centercode site that gets the tickets. Without it, `fairbridge run` uses a simulator.",
		centercodeKind, func(t *top) *Centercode { return &t.centercode }),
	strictyaml.Into("testfairy", "The TestFairy account for attachments with auth or session. Its API key is the secret testfairy-api-key.",
		strictyaml.Optional(testFairyKind), func(t *top) **TestFairy { return &t.testfairy }),
	strictyaml.Into("sources", "Where attachments may be fetched from.", sourcesKind, func(t *top) *Sources { return &t.sources }),
	strictyaml.Into("defaults", "Settings for all routes, which a route can override.", strictyaml.Optional(defaultsKind), func(t *top) **settings { return &t.defaults }),
	strictyaml.Into("retry", "How long failing deliveries are retried.", retryKind, func(t *top) *RetrySettings { return &t.retry }),
	strictyaml.Into("ledger", "What FairBridge keeps about each delivery.", ledgerKind, func(t *top) *LedgerSettings { return &t.ledger }),
	strictyaml.Into("routes", "Where events go. The first route that matches an event is used.", strictyaml.ListOf(routeKind, 1), func(t *top) *[]rule { return &t.routes }).Must(),
}, nil)

var centercodeKind = strictyaml.Object("centercode", []strictyaml.Key[Centercode]{
	strictyaml.Into("baseUrl", "The site's address, https only, without /api/v1. The environment can set it as well.",
		baseURLKind, func(c *Centercode) *string { return &c.BaseURL }),
	strictyaml.Into("hosts", "Further hosts that belong to Centercode, with the port unless it is 443: the API key may be sent there. For a site whose file endpoints are on another host than baseUrl, or that redirects uploads to a host in a private network.",
		strictyaml.ListOf(centercodeHostKind, 1), func(c *Centercode) *[]string { return &c.Hosts }),
	strictyaml.Into("ticketUrl", "A template for the address of a ticket's page, for links. It may read .ticketId and .project, the key of the ticket's project.",
		ticketURLKind, func(c *Centercode) *expression { return &c.ticketURL }),
}, nil)

var retryKind = strictyaml.Object("retry", []strictyaml.Key[RetrySettings]{
	strictyaml.Into("for", "How long the delays after a delivery's own failed attempts may be in total before it becomes a dead letter: 1h to 10d. Time during an outage of Centercode does not count.",
		patienceKind, func(r *RetrySettings) *time.Duration { return &r.For }).ByDefault("72h"),
}, nil)

var ledgerKind = strictyaml.Object("ledger", []strictyaml.Key[LedgerSettings]{
	strictyaml.Into("remember", "all: including the email address and the first 120 characters of the text, so that people can search for them; ids: neither.",
		strictyaml.OneOf(RememberAll, RememberIDs), func(l *LedgerSettings) *string { return &l.Remember }).ByDefault(RememberAll),
}, nil)

var sourcesKind = strictyaml.Object("sources", []strictyaml.Key[Sources]{
	strictyaml.Into("hosts", "The hosts that files may come from, instead of TestFairy's own; *.example.com is every host below example.com.",
		strictyaml.ListOf(hostKind, 1), func(s *Sources) *[]string { return &s.Hosts }),
	strictyaml.Into("allowLoopback", "Whether files may come from this machine. For tests.", strictyaml.Bool, func(s *Sources) *bool { return &s.AllowLoopback }).ByDefault(false),
	strictyaml.Into("resolve", "Hosts that a simulator on this machine replaces, with its address. For tests.",
		strictyaml.MapOf(loopbackKind), func(s *Sources) *map[string]string { return &s.Resolve }),
	strictyaml.Into("maxBytes", "The largest file that is sent, at most Centercode's own limit.", sizeKind, func(s *Sources) *int64 { return &s.MaxBytes }).ByDefault("2 GiB"),
}, nil)
