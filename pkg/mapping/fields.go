package mapping

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/testfairy"
)

// documented has the fields of TestFairy's documented payloads.
var documented = map[testfairy.Kind][]string{
	testfairy.KindFeedback: {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "sessionUrl", "screenshotUrl", "correlationId", "email", "rawDeviceName", "ipAddress", "text"},
	testfairy.KindCrash:    {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "email", "deviceName", "rawDeviceName", "crashMessage", "ipAddress"},
	testfairy.KindUpload:   {"event", "timestamp", "version", "build", "appName", "filesize", "iconUrl", "communityUrl"},
	testfairy.KindDownload: {"event", "timestamp", "version", "build", "appName", "filesize", "buildUrl", "iconUrl", "testerEmail", "referer"},
}

// added has the fields that FairBridge adds to every event.
var added = []string{"deliveryId", "receivedAt", "ticketId"}

// reading is a place where a template reads a field of the event.
type reading struct {
	field string
	kinds []string // of events that the template is run for; none: any
	place Problem  // without a message
}

// ofKinds notes which events the templates of a route are run for.
func ofKinds(k kind[rule]) kind[rule] {
	return kind[rule]{schema: k.schema, read: func(d *decoder, n *yaml.Node) (rule, bool) {
		from := len(d.readings)
		r, ok := k.read(d, n)
		for i := from; i < len(d.readings); i++ {
			d.readings[i].kinds = r.match.value.events
		}
		return r, ok
	}}
}

// UnknownFields returns a problem for each place where a template reads a field
// that no event of its route has: neither as documented nor as in seen, the
// fields of sample payloads by kind. An app may add any field to its feedback.
// So where seen has nothing of a route's kind, a field is unknown only if it
// looks like a known one, or is documented for another kind.
func (c *Config) UnknownFields(seen map[testfairy.Kind][]string) Problems {
	var unknown Problems
	for _, r := range c.readings {
		kinds := r.kinds
		if len(kinds) == 0 {
			kinds = slices.DeleteFunc(slices.Clone(eventKinds), func(k string) bool { return !c.Wants(testfairy.Kind(k)) })
		}
		if len(kinds) == 0 {
			continue // every route ignores its events: it is never run
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
		} else if nearest(r.field, known) != "" {
			hint = suggestion(r.field, known)
		}
		if hint == "" && !sampled {
			continue // most likely the app's own
		}
		p := r.place
		p.Message, p.Hint = "no known "+strings.Join(kinds, " or ")+" event has the field "+quote(r.field), hint
		unknown = append(unknown, p)
	}
	return unknown.sorted()
}

// kindWith is a kind of event that is documented to have the field, or "".
func kindWith(field string) string {
	for _, k := range eventKinds {
		if slices.Contains(documented[testfairy.Kind(k)], field) {
			return k
		}
	}
	return ""
}
