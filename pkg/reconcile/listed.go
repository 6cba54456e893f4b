package reconcile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
)

// A clock whose zone is not known is at most so far before and behind UTC.
const (
	mostEast = 14 * time.Hour
	mostWest = 12 * time.Hour
)

// listed is a feedback in TestFairy's list, as it is compared.
type listed struct {
	feedback api.Feedback
	likeness string
	// session is its [testfairy.SessionKey], text its [testfairy.LikeText].
	session, text string
	// ordered is when it was recorded, by the same clock as the others; zero if
	// that cannot be read.
	ordered time.Time
	// earliest and latest bound when it was recorded.
	earliest, latest time.Time
	// app is what other deliveries of the same build say of it.
	app ledger.About
	// delivery is what it was found to be; nil for nothing.
	delivery *delivery
}

// read reads TestFairy's list, and sorts it: the latest first.
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

// bounds is between which times something was recorded, by what clocks of unknown
// zones say, and what the first of them says.
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

// parse reads a time; exact says that its zone is known.
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

// sessionPage is the page of a feedback's session: above its screenshot, at whatever
// host that is, or else at the account's; "" if it has none.
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

// build is the build that a session is of.
func build(sessionKey string) string {
	at := strings.LastIndexByte(sessionKey, '/')
	return sessionKey[:max(at, 0)]
}

// payload makes the event of a feedback whose webhook never came: what the list has,
// what TestFairy says of the session, and the app as other deliveries of the same
// build have it.
func (i *Item) payload(about ledger.About, session map[string]string) ([]byte, error) {
	get := func(names ...string) string {
		for _, name := range names {
			if value := session[name]; value != "" {
				return value
			}
		}
		return ""
	}
	f := i.feedback
	fields := map[string]string{
		"event": string(testfairy.KindFeedback), testfairy.FieldReconciled: i.FeedbackID,
		"timestamp": i.RecordedAt, "text": f.Text, "email": f.Email, "screenshotUrl": f.ScreenshotURL, "sessionUrl": i.Session,
		"appName": cmp.Or(about.App, get("appName", "app", "appDisplayName")),
		"version": cmp.Or(about.Version, get("version", "appVersion")),
		"build":   cmp.Or(about.Build, get("build", "versionCode")),

		"rawDeviceName": get("rawDeviceName", "device", "deviceName", "model"),
	}
	if page, _, found := strings.Cut(i.Session, "/sessions/"); found {
		fields["buildUrl"] = page
	}
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(fields)
	return b.Bytes(), err
}
