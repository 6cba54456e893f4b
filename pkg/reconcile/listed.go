package reconcile

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
)

// A clock with an unknown time zone is at most this much before and behind UTC.
const (
	mostEast = 14 * time.Hour
	mostWest = 12 * time.Hour
)

// listed is a feedback of TestFairy's list, for comparison.
type listed struct {
	feedback api.Feedback
	likeness string
	// session is its [testfairy.SessionKey], text its [testfairy.LikeText].
	session, text string
	// ordered is when it was recorded, by the same clock as the others; zero if unreadable.
	ordered time.Time
	// earliest and latest bound when it was recorded.
	earliest, latest time.Time
	// app is what other deliveries of the same build have about the app.
	app ledger.About
	// delivery is the one that it was identified with; nil if none.
	delivery *delivery
}

// read parses TestFairy's list, and sorts it, the latest first.
func read(all []api.Feedback, pages string, now time.Time) []*Item {
	var items []*Item
	seen := map[string]bool{}
	sortable := true
	for _, f := range all {
		i := readOne(f, pages, now)
		if seen[i.FeedbackID] {
			continue
		}
		seen[i.FeedbackID] = true
		sortable = sortable && !i.ordered.IsZero()
		items = append(items, i)
	}
	if sortable {
		slices.SortStableFunc(items, func(a, b *Item) int { return b.ordered.Compare(a.ordered) })
	}
	return items
}

func readOne(f api.Feedback, pages string, now time.Time) *Item {
	page := sessionPage(f, pages)
	i := &Item{
		FeedbackID: f.ID, RecordedAt: cmp.Or(f.RecordedAt[1], f.RecordedAt[0]), From: f.Email, Session: page,
		Text: clip.Text(f.Text, 200, "…"),
		listed: listed{
			feedback: f, likeness: testfairy.Likeness(page, f.Email, f.Text),
			session: testfairy.SessionKey(page), text: testfairy.LikeText(f.Text),
		},
	}
	if i.FeedbackID == "" {
		i.FeedbackID = i.likeness[:16] + "@" + i.RecordedAt
	}
	i.earliest, i.latest, i.ordered = bounds(f.RecordedAt, now)
	return i
}

// bounds returns the times between which something was recorded, from clocks of unknown
// time zones, and the first clock's time.
func bounds(clocks [2]string, now time.Time) (earliest, latest, ordered time.Time) {
	var read bool
	for _, clock := range clocks {
		t, exact, ok := parse(clock)
		if !ok {
			continue
		}
		from, to := t.Add(-mostEast), t.Add(mostWest)
		if exact {
			from, to = t, t
		}
		switch {
		case !read:
			earliest, latest, ordered, read = from, to, t, true
		case from.After(latest), to.Before(earliest): // they contradict each other
			earliest, latest = first(earliest, from), last(latest, to)
		default:
			earliest, latest = last(earliest, from), first(latest, to)
		}
	}
	if !read {
		latest = now
	}
	return earliest, first(latest, now), ordered
}

// parse parses a time; exact means that it has a time zone.
func parse(s string) (t time.Time, exact, ok bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), true, true
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) == 10 {
		return time.Unix(n, 0).UTC(), true, true
	}
	return time.Time{}, false, false
}

func first(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

func last(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// sessionPage returns the page of a feedback's session: derived from its screenshot's URL,
// on whatever host, otherwise on the account's; "" if there is none.
func sessionPage(f api.Feedback, pages string) string {
	if testfairy.SessionKey(f.ScreenshotURL) != "" {
		if u, err := url.Parse(f.ScreenshotURL); err == nil && u.Host != "" {
			segments := strings.SplitAfterN(strings.TrimPrefix(u.EscapedPath(), "/"), "/", 7)
			return u.Scheme + "://" + u.Host + "/" + strings.TrimSuffix(strings.Join(segments[:6], ""), "/")
		}
	}
	page := pages + "/projects/" + url.PathEscape(f.ProjectID) + "/builds/" + url.PathEscape(f.BuildID) + "/sessions/" + url.PathEscape(f.SessionID)
	if testfairy.SessionKey(page) == "" {
		return ""
	}
	return page
}

// build returns the build of a session.
func build(sessionKey string) string {
	at := strings.LastIndexByte(sessionKey, '/')
	return sessionKey[:max(at, 0)]
}

// payload builds the event of a feedback whose webhook never came: from the list,
// TestFairy's data on the session, and the app as in other deliveries of the same build.
func (i *Item) payload(about ledger.About, session map[string]string) ([]byte, error) {
	f := i.feedback
	fields := map[string]string{
		"event": string(testfairy.KindFeedback), testfairy.FieldReconciled: i.FeedbackID,
		"timestamp": i.RecordedAt, "text": f.Text, "email": f.Email, "screenshotUrl": f.ScreenshotURL, "sessionUrl": i.Session,
		"appName": cmp.Or(about.App, session["appName"], session["app"], session["appDisplayName"]),
		"version": cmp.Or(about.Version, session["version"], session["appVersion"]),
		"build":   cmp.Or(about.Build, session["build"], session["versionCode"]),

		"rawDeviceName": cmp.Or(session["rawDeviceName"], session["device"], session["deviceName"], session["model"]),
	}
	if page, _, found := strings.Cut(i.Session, "/sessions/"); found {
		fields["buildUrl"] = page
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	return plainjson.Marshal(fields)
}
