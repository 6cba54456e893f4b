package mapping

import (
	"slices"
	"strings"

	"fairbridge/pkg/internal/suggest"
	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/testfairy"
)

// documented lists the fields of TestFairy's documented payloads.
var documented = map[testfairy.Kind][]string{
	testfairy.KindFeedback: {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "sessionUrl", "screenshotUrl", "correlationId", "email", "rawDeviceName", "ipAddress", "text"},
	testfairy.KindCrash:    {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "email", "deviceName", "rawDeviceName", "crashMessage", "ipAddress"},
	testfairy.KindUpload:   {"event", "timestamp", "version", "build", "appName", "filesize", "iconUrl", "communityUrl", "platform", "buildId", "landingPageUrl", "landingPageBuildUrl", "appUrl", "changeLog"},
	testfairy.KindDownload: {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "testerEmail", "referer", "platform", "buildId", "ipAddress"},
	testfairy.KindNewUDID:  {"event", "timestamp", "udid", "device", "email", "platform"},
}

// ownFields returns the event's fields that are not documented for its kind: those from the
// app's own feedback form.
func ownFields(e testfairy.Event) map[string]any {
	own := map[string]any{}
	for name, value := range e.Fields {
		if name != testfairy.FieldReconciled && !slices.Contains(documented[e.Kind], name) {
			own[name] = value
		}
	}
	return own
}

// added are the fields that FairBridge adds to every event.
var added = []string{"deliveryId", "receivedAt", "ticketId", testfairy.FieldReconciled}

// reading is a place where a template reads a field of the event.
type reading struct {
	field string
	kinds []string           // kinds of events that the template runs for; none means any
	place strictyaml.Problem // without a message
}

// readings returns where the file's templates read fields; those of a route with the
// route's kinds of events.
func (t top) readings() []reading {
	var all []reading
	note := func(kinds []string, expressions ...expression) {
		for _, x := range expressions {
			for _, r := range x.readings {
				r.kinds = kinds
				all = append(all, r)
			}
		}
	}
	note(nil, t.defaults.expressions()...)
	for _, r := range t.routes {
		note(r.match.Value.events, append(r.expressions(), r.match.Value.when)...)
	}
	return all
}

// expressions returns every template of the settings.
func (s settings) expressions() []expression {
	var all []expression
	for _, f := range s.fields {
		for _, i := range f.value.items {
			all = append(all, i.template)
		}
	}
	for _, f := range s.attachments {
		all = append(all, f.from, f.filename, f.endpoint)
	}
	return all
}

// UnknownFields returns a problem for each place where a template reads a field that no
// event of its route has, neither as documented nor in seen, which lists the fields of
// sample payloads by kind. An app may add any field to its feedback, so if seen has nothing
// of a route's kind, a field is unknown only if it resembles a known one, or is documented
// for another kind.
func (c *Config) UnknownFields(seen map[testfairy.Kind][]string) Problems {
	var unknown Problems
	for _, r := range c.readings {
		kinds := r.kinds
		if len(kinds) == 0 {
			kinds = c.wanted()
		}
		if len(kinds) == 0 {
			continue // every route ignores its events, so it never runs
		}
		known, sampled := slices.Clone(added), true
		for _, k := range kinds {
			kind := testfairy.Kind(k)
			known = slices.Concat(known, documented[kind], seen[kind])
			sampled = sampled && seen[kind] != nil
		}
		if slices.Contains(known, r.field) {
			continue
		}
		hint := ""
		if elsewhere := kindWith(r.field); elsewhere != "" {
			hint = elsewhere + " events have it"
		} else if suggest.Nearest(r.field, known) != "" {
			hint = suggest.Hint(r.field, known)
		}
		if hint == "" && !sampled {
			continue // most likely the app's own
		}
		p := r.place
		p.Message, p.Hint = "no known "+strings.Join(kinds, " or ")+" event has the field "+strictyaml.Quote(r.field), hint
		unknown = append(unknown, p)
	}
	return unknown.Sorted()
}

// Fields returns the names of the fields that an event may have: those that TestFairy
// documents for any kind, and those that the file's templates read. c may be nil.
func (c *Config) Fields() []string {
	var all []string
	for _, k := range eventKinds {
		all = append(all, documented[testfairy.Kind(k)]...)
	}
	if c != nil {
		for _, r := range c.readings {
			all = append(all, r.field)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wanted returns every kind of event that can become a ticket.
func (c *Config) wanted() []string {
	var kinds []string
	for _, r := range c.Routes {
		for _, k := range r.match.events {
			if !r.Ignore && !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// kindWith returns a kind of event that is documented to have the field, or "".
func kindWith(field string) string {
	for _, k := range eventKinds {
		if slices.Contains(documented[testfairy.Kind(k)], field) {
			return k
		}
	}
	return ""
}

// FileElements returns the file elements that the routes have attachments for, sorted. A
// simulated Centercode needs them.
func (c *Config) FileElements() []string {
	var elements []string
	for _, r := range c.Routes {
		for _, f := range r.attachments {
			elements = append(elements, f.element)
		}
	}
	slices.Sort(elements)
	return slices.Compact(elements)
}
