package deadletter

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairbridge/pkg/queue"
)

// Filter selects letters. A criterion that is not set matches every letter; of several
// values for one criterion any may match; different criteria must all match.
type Filter struct {
	// IDs are delivery ids or their beginnings.
	IDs     []string
	Reasons []queue.Reason
	Stages  []queue.Stage
	// Statuses are HTTP statuses, such as 400, or their classes, such as 4xx.
	Statuses []string
	// Apps are names of apps, in which * matches any text.
	Apps []string
	// Since and Until bound when the delivery died: from Since on, and before Until.
	Since, Until time.Time
	// Match are conditions that must all hold.
	Match []Condition
	// Group is the [Group.Key] of a cause. A letter's group depends on its ledger entry,
	// so a [Selection] checks it, and selects does not.
	Group string
	// means, if set, must hold as well.
	means func(Letter) bool
}

// needsPayload reports whether the filter uses the event, which otherwise need not be
// decoded.
func (f Filter) needsPayload() bool {
	return f.means != nil || len(f.Apps) > 0 || slices.ContainsFunc(f.Match, func(c Condition) bool { return !strings.HasPrefix(c.Field, "@") })
}

// withoutFault returns the filter without criteria about the fault. For a letter that SQS
// moved, the fault has to be read from the ledger first.
func (f Filter) withoutFault() Filter {
	f.Stages, f.Statuses = nil, nil
	f.Match = slices.DeleteFunc(slices.Clone(f.Match), func(c Condition) bool { return strings.HasPrefix(c.Field, "@") })
	return f
}

// selects reports whether a letter matches.
func (f Filter) selects(l Letter) bool {
	at := l.DiedAt()
	return matchesAny(f.IDs, func(id string) bool { return begins(id, l.DeliveryID) }) &&
		matchesAny(f.Reasons, func(r queue.Reason) bool { return r == l.Reason }) &&
		matchesAny(f.Stages, func(s queue.Stage) bool { return s == l.Stage }) &&
		matchesAny(f.Statuses, func(s string) bool { return matchesStatus(s, l.Status) }) &&
		matchesAny(f.Apps, func(app string) bool { return matchesApp(app, l.Webhook.Text("appName")) }) &&
		(f.Since.IsZero() || !at.Before(f.Since)) && (f.Until.IsZero() || at.Before(f.Until)) &&
		!slices.ContainsFunc(f.Match, func(c Condition) bool { return !c.holds(l) }) &&
		(f.means == nil || f.means(l))
}

// begins reports whether a delivery id, perhaps shortened, is that of a delivery.
func begins(id, delivery string) bool { return strings.HasPrefix(delivery, strings.ToLower(id)) }

func matchesAny[T any](wanted []T, matches func(T) bool) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, matches)
}

var statusPattern = regexp.MustCompile(`^[1-5](?:[0-9]{2}|xx)$`)

func matchesStatus(wanted string, status int) bool {
	if class, ok := strings.CutSuffix(wanted, "xx"); ok {
		return strconv.Itoa(status/100) == class
	}
	return strconv.Itoa(status) == wanted
}

// matchesApp compares exactly, with * for any text.
func matchesApp(pattern, app string) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	return regexp.MustCompile(`(?s)^` + expression + `$`).MatchString(app)
}

// Condition is a condition on a field of a letter, see [ParseCondition].
type Condition struct {
	// Field is the name of a payload field or, with a leading @, of one of the letter's
	// own.
	Field string

	not     bool
	value   string
	pattern *regexp.Regexp // instead of value
}

// letterFields are the letter's own fields, for @name.
var letterFields = map[string]func(Letter) string{
	"@attempts":    func(l Letter) string { return strconv.Itoa(l.Attempts) },
	"@deliveryId":  func(l Letter) string { return l.DeliveryID },
	"@description": func(l Letter) string { return l.Description },
	"@event":       func(l Letter) string { return l.Event },
	"@reason":      func(l Letter) string { return string(l.Reason) },
	"@replays":     func(l Letter) string { return strconv.Itoa(l.ReplayCount()) },
	"@stage":       func(l Letter) string { return string(l.Stage) },
	"@status":      func(l Letter) string { return strconv.Itoa(l.Status) },
}

// ParseCondition parses FIELD=VALUE, FIELD!=VALUE, FIELD~REGEXP or FIELD!~REGEXP. A missing
// payload field counts as empty, and a number as its text in the payload. The regular
// expressions are RE2's and match anywhere in the text.
func ParseCondition(s string) (Condition, error) {
	at := strings.IndexAny(s, "=~")
	if at < 1 {
		return Condition{}, fmt.Errorf("%q is not FIELD=VALUE, FIELD!=VALUE, FIELD~REGEXP or FIELD!~REGEXP", s)
	}
	field, not := strings.CutSuffix(s[:at], "!")
	c := Condition{Field: strings.TrimSpace(field), not: not, value: s[at+1:]}
	if c.Field == "" {
		return Condition{}, fmt.Errorf("%q names no field", s)
	}
	if strings.HasPrefix(c.Field, "@") && letterFields[c.Field] == nil {
		return Condition{}, fmt.Errorf("there is no %s; a letter has %s", c.Field, strings.Join(slices.Sorted(maps.Keys(letterFields)), ", "))
	}
	if s[at] == '~' {
		pattern, err := regexp.Compile(c.value)
		if err != nil {
			return Condition{}, fmt.Errorf("%q: %w", c.value, err)
		}
		c.pattern = pattern
	}
	return c, nil
}

func (c Condition) holds(l Letter) bool {
	text := l.Webhook.Text(c.Field)
	if own := letterFields[c.Field]; own != nil {
		text = own(l)
	}
	if c.pattern != nil {
		return c.pattern.MatchString(text) != c.not
	}
	return (text == c.value) != c.not
}

// ParseTime parses a point in time: RFC 3339, a date (midnight UTC), or an age such as 90m,
// 36h or 7d.
func ParseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	ago, err := parseAgo(s)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("%q is not a time; give one such as 2026-01-31, 2026-01-31T08:00:00Z, 90m, 36h or 7d (ago)", s)
	}
	return now.Add(-ago), nil
}

func parseAgo(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.Atoi(days)
	if err != nil || n > 3650 {
		return 0, errors.New("not a number of days")
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
