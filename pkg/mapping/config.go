// Package mapping turns a TestFairy event into the request for a Centercode ticket, as
// fairbridge.yaml specifies: the first route that matches the event names the project and
// External Source, and builds each parameter from the event's fields with templates.
// docs/mapping.md is the reference of the file.
//
// Parse refuses a file with any mistake and reports all of them with their positions. Map
// is bounded: no event and no file make it run or allocate without end, and its result is
// valid JSON. The package does not read the environment or the network, and does not depend
// on AWS.
package mapping

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/mapping/internal/template"
	"fairbridge/pkg/testfairy"
)

// Config is a valid mapping file. It is safe for concurrent use.
type Config struct {
	Centercode Centercode
	TestFairy  TestFairy
	Sources    Sources
	Retry      RetrySettings
	Ledger     LedgerSettings
	Routes     []Route // in the file's order

	readings []reading
	document document
}

// Centercode is where tickets are created.
type Centercode struct {
	// BaseURL is the site's address without a trailing slash: https, or http on loopback.
	// Empty if none is configured yet.
	BaseURL string
	// Hosts are further hosts that belong to Centercode: the API key may be sent there.
	// Each is a name or an address in lower case, with a port ("host:8443") unless that is
	// 443.
	Hosts []string

	ticketURL expression
}

// TicketURL returns the address of a ticket's page, or "" if the file does not define it.
// project is the key of the ticket's project.
func (c Centercode) TicketURL(project, ticketID string) string {
	if ticketID == "" {
		return ""
	}
	link, err := c.ticketURL.Run(template.New(map[string]any{
		"project": escapeForURL(project), "ticketId": escapeForURL(ticketID),
	}, nil))
	if link = strings.TrimSpace(link); err != nil || !isWebPage(link) {
		return ""
	}
	return link
}

// escapeForURL escapes s for both the path and the query of a URL.
func escapeForURL(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// RetrySettings is how long a failing delivery is retried.
type RetrySettings struct {
	// For is the maximum sum of the delays after a delivery's own failed attempts, before
	// it becomes a dead letter: 1 hour to 10 days, by default 72 hours.
	For time.Duration
}

// The values of Ledger.Remember.
const (
	RememberAll = "all" // everything that people search for
	RememberIDs = "ids" // everything except the email address and the text
)

// LedgerSettings is what the ledger keeps about each delivery.
type LedgerSettings struct {
	Remember string // RememberAll (the default) or RememberIDs
}

// TestFairy is the account with which attachments are requested. Its API key is a secret,
// testfairy-api-key.
type TestFairy struct {
	User string // the account's email address; empty if no attachment needs it
	// BaseURL is the REST API's address, https and without a path. If empty, it follows
	// from an event's sessionUrl.
	BaseURL string
}

// Sources is where attachments may be fetched from.
type Sources struct {
	// Hosts are host names, or *.name for every host below name. If empty, those that
	// TestFairy uses.
	Hosts         []string
	AllowLoopback bool              // files may come from this machine
	Resolve       map[string]string // host to a base URL on this machine that stands in for it
	MaxBytes      int64             // the largest file; at most and by default 2 GiB
}

// Route is one rule of the file, with the defaults applied.
type Route struct {
	Line    int  // line in the file
	Ignore  bool // its events get no ticket; the fields below are not set
	Project string
	Source  string // the key of the External Source
	// OnLostAnswer is Park or Retry.
	OnLostAnswer string
	Lookup       *Lookup // nil: none

	match       match
	fields      []field
	attachments []file
}

// Problem is one mistake in the mapping file. Problems is all of them: the error of Parse
// and Load for an invalid file.
type (
	Problem  = strictyaml.Problem
	Problems = strictyaml.Problems
)

// Schema returns the JSON Schema of the mapping file, for editors: its keys, what they
// mean, and their allowed values. Parse refuses more than the schema does, such as an
// invalid template. The repository's fairbridge.schema.json is a copy.
func Schema() []byte {
	s := topKind.Schema
	s.Description = "What becomes of each TestFairy event: fairbridge.yaml of FairBridge."
	return s.Document("fairbridge.yaml")
}

// Load reads the mapping file at path. The error is Problems if the file can be read but is
// invalid.
func Load(path string) (*Config, error) {
	data, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Read returns the content of the mapping file at path, for Parse. If the file is too long,
// it returns just enough for Parse to report that.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the mapping file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the mapping file: %w", err)
	}
	return data, nil
}

// Parse parses a mapping file's content. name is the file's name in messages. The error is
// Problems: every mistake that can be found, in the file's order.
func Parse(name string, data []byte) (*Config, error) {
	d := &strictyaml.Decoder{File: name, EmptyHint: "it needs routes: copy the shipped fairbridge.yaml and change it"}
	root, ok := d.Document(data)
	if !ok {
		return nil, d.Problems()
	}
	file, _ := topKind.Value(d, root)
	c := &Config{Centercode: file.centercode, Sources: file.sources, Retry: file.retry, Ledger: file.ledger}
	c.document = document{text: bytes.Clone(data), root: root, baseURL: c.Centercode.BaseURL}
	if file.testfairy != nil {
		c.TestFairy = *file.testfairy
	}
	if file.defaults == nil {
		file.defaults = &settings{checked: true}
	}
	c.Sources.MaxBytes = cmp.Or(c.Sources.MaxBytes, largest)
	c.Retry.For = cmp.Or(c.Retry.For, defaultPatience)
	c.Ledger.Remember = cmp.Or(c.Ledger.Remember, RememberAll)
	unreachable(d, file.routes)
	withoutAccount(d, file)
	for _, r := range file.routes {
		// Missing settings can be reported only if nothing else was wrong.
		if r.node != nil && file.defaults.checked {
			c.Routes = append(c.Routes, fillIn(d, r, *file.defaults))
		}
	}
	if problems := d.Problems(); len(problems) > 0 {
		return nil, problems
	}
	c.readings = file.readings()
	return c, nil
}

// fillIn applies the defaults to a rule and reports what is still missing.
func fillIn(d *strictyaml.Decoder, r rule, defaults settings) Route {
	if r.ignore {
		return Route{Line: r.node.Line, Ignore: true, match: r.match.Value}
	}
	s := r.settings.over(defaults)
	route := Route{
		Line: r.node.Line, match: r.match.Value,
		Project: s.project, Source: s.source,
		OnLostAnswer: s.onLostAnswer, Lookup: s.lookup.Value,
		fields: s.fields, attachments: s.attachments,
	}
	for _, missing := range []struct {
		key    string
		absent bool
	}{{"project", s.project == ""}, {"source", s.source == ""}, {"fields", len(s.fields) == 0}} {
		if missing.absent {
			d.Problem(r.node, "the route needs the key "+strictyaml.Quote(missing.key), "write it here or in defaults")
		}
	}
	if s.lookup.Value != nil && !sends(s.fields, "deliveryId") {
		d.Problem(s.lookup.Node, "the look-up compares "+strictyaml.Quote(s.lookup.Value.Column)+" with the delivery id, but no field sends it",
			`add a field such as deliveryId: "{{ .deliveryId }}"`)
	}
	for _, f := range route.attachments {
		if s.lookup.Value != nil && !f.endpoint.given() {
			d.Problem(f.node, "the attachment "+strictyaml.Quote(f.element)+" needs an endpoint, since its route has a lookup",
				"Centercode's answer, which contains it, is missing for a ticket that is looked up: copy the URL from an answer, with {{ .ticketId }} in place of the id")
		}
	}
	return route
}

// over returns the settings, with defaults for those that are not set.
func (s settings) over(defaults settings) settings {
	merged := defaults
	merged.project = cmp.Or(s.project, defaults.project)
	merged.source = cmp.Or(s.source, defaults.source)
	merged.onLostAnswer = cmp.Or(s.onLostAnswer, defaults.onLostAnswer, Park)
	merged.fields = slices.Clone(defaults.fields)
	for _, f := range s.fields {
		i := slices.IndexFunc(merged.fields, func(other field) bool { return other.name == f.name })
		if i >= 0 {
			merged.fields[i] = f
		} else {
			merged.fields = append(merged.fields, f)
		}
	}
	if s.attachments != nil {
		merged.attachments = s.attachments
	}
	if s.lookup.Value != nil {
		merged.lookup = s.lookup
	}
	return merged
}

// sends reports whether a parameter is built from the event's field of that name.
func sends(fields []field, name string) bool {
	return slices.ContainsFunc(settings{fields: fields}.expressions(), func(x expression) bool { return x.Reads(name) })
}

// unreachable reports routes whose events an earlier route takes already.
func unreachable(d *strictyaml.Decoder, rules []rule) {
	for i, r := range rules {
		for _, earlier := range rules[:i] {
			if r.node == nil || earlier.node == nil {
				continue
			}
			if earlier.match.Value.covers(r.match.Value) {
				d.Problem(r.node, "no event ever gets here", fmt.Sprintf("the route on line %d matches all of them: move this one above it", earlier.node.Line))
				break
			}
		}
	}
}

// Wants reports whether an event of the kind can become a ticket: whether a route matches
// it.
func (c *Config) Wants(k testfairy.Kind) bool {
	return slices.ContainsFunc(c.Routes, func(r Route) bool { return !r.Ignore && r.match.kind(k) })
}

// UsesAccount reports whether an attachment is requested with the TestFairy account, so
// that its API key is needed.
func (c *Config) UsesAccount() bool {
	return slices.ContainsFunc(c.Routes, func(r Route) bool {
		return slices.ContainsFunc(r.attachments, func(f file) bool { return f.needsAccount != nil })
	})
}
