package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
)

// delivery is a delivery of the ledger, for comparison.
type delivery struct {
	ledger.Entry
	likeness, session, text string
	// mute means that the ledger does not keep what was said, or by whom.
	mute bool
	// taken means that it was identified with a feedback of the list.
	taken bool
}

func newDelivery(e ledger.Entry) *delivery {
	if e.About == nil {
		e.About = &ledger.About{}
	}
	return &delivery{
		Entry: e, likeness: testfairy.Likeness(e.About.Session, e.About.Email, e.About.Text),
		session: testfairy.SessionKey(e.About.Session), text: testfairy.LikeText(e.About.Text),
		mute: e.About.Email == "" && e.About.Text == "",
	}
}

// mayBe reports whether a delivery may be a feedback although not everything matches:
// TestFairy may word it differently than its webhook. A delivery cannot be older than the
// feedback.
func (d *delivery) mayBe(i *Item) bool {
	if d.taken || d.Received().Before(i.earliest) {
		return false
	}
	address := func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
	// The ledger may keep only the beginning of an address.
	same := i.From == "" || strings.HasPrefix(address(i.From), address(d.About.Email))
	return d.session != "" && d.session == i.session || d.text != "" && d.text == i.text && same
}

// knowledge is what the ledger knows, and since when.
type knowledge struct {
	entries []*delivery
	begins  time.Time
	// forgetful means that it keeps sessions, but not what was said.
	forgetful bool
	// reconciled is what was sent earlier, by its likeness.
	reconciled map[string]ledger.Reconciled
}

// judge sets the state of each item. The items are sorted, the latest first.
func (k *knowledge) judge(items []*Item, now time.Time) {
	for _, i := range items {
		i.State, i.Why, i.DeliveryID, i.TicketID, i.delivery = "", "", "", "", nil
	}
	k.bySending(items, now)
	k.byCount(items, func(i *Item) string { return i.likeness }, func(d *delivery) string { return d.likeness }, false)
	k.byCount(items, func(i *Item) string { return i.session }, func(d *delivery) string { return d.session }, true)
	k.rest(items, now)
	for _, i := range items {
		i.app = k.app(i.session)
	}
}

// app returns what the deliveries of a session's build, or otherwise of its project, have
// about the app.
func (k *knowledge) app(session string) (app ledger.About) {
	ofBuild := build(session)
	for _, d := range k.entries {
		switch {
		case session == "" || d.session == "" || d.About.App == "":
		case build(d.session) == ofBuild:
			return *d.About
		case build(build(d.session)) == build(ofBuild):
			app = ledger.About{App: d.About.App}
		}
	}
	return app
}

// bySending identifies what an earlier run has sent.
func (k *knowledge) bySending(items []*Item, now time.Time) {
	byID := map[string]*delivery{}
	for _, d := range k.entries {
		byID[d.DeliveryID] = d
	}
	for _, i := range items {
		was := k.reconciled[i.likeness]
		id, sent := was.Deliveries[i.FeedbackID]
		switch d := byID[id]; {
		case !sent:
		case d != nil:
			i.is(d)
		case was.Withdrawn(i.FeedbackID):
			i.withdrawn()
		case was.SentAt.IsZero() && now.Sub(was.At) >= tooOld:
			i.State, i.DeliveryID, i.Why = Ambiguous, id, "an earlier run may have sent it, and the ledger would have forgotten it"
		case was.SentAt.IsZero(): // the run ended before it had sent it
		case now.Sub(was.SentAt) < tooOld:
			i.State, i.DeliveryID, i.Why = OnItsWay, id, "it was sent, and waits in the queue"
		default:
			i.State, i.DeliveryID, i.Why = Present, id, "it was sent by an earlier run"
		}
	}
}

// withdrawn records that 'fairbridge forget' has removed what was to be sent.
func (i *Item) withdrawn() { i.State, i.Why = Dropped, "the person is to be forgotten" }

// is identifies an item with a delivery.
func (i *Item) is(d *delivery) {
	d.taken, i.delivery = true, d
	i.DeliveryID, i.TicketID = d.DeliveryID, d.TicketID
	switch {
	case d.Dropped():
		i.State = Dropped
	case d.State == ledger.Dead:
		i.State = Dead
	case d.State == ledger.Completed:
		i.State = Present
	default:
		i.State = OnItsWay
	}
}

// byCount identifies the items for which there are as many deliveries with the same key as
// items: a tester may say the same thing twice. If there are fewer, it is unknown which
// items came. That also holds beside an item that was reconciled: its own webhook may be
// one of the deliveries. mute deliveries match anything of their session; the others are
// identified by what was said.
func (k *knowledge) byCount(items []*Item, keyOf func(*Item) string, keyOfDelivery func(*delivery) string, mute bool) {
	open := map[string][]*Item{}
	for _, i := range items {
		if key := keyOf(i); i.State == "" && key != "" {
			open[key] = append(open[key], i)
		}
	}
	had := map[string][]*delivery{}
	for _, d := range k.entries {
		key := keyOfDelivery(d)
		of := open[key]
		beside := len(of) > 0 && len(k.reconciled[of[0].likeness].Deliveries) > 0
		if len(of) == 0 || d.taken || d.mute != mute || d.Received().Before(of[len(of)-1].earliest) || beside && d.Dropped() {
			continue
		}
		had[key] = append(had[key], d)
	}
	for key, of := range open {
		deliveries := had[key]
		slices.SortFunc(deliveries, func(a, b *delivery) int { return ledger.LaterFirst(a.Entry, b.Entry) })
		for n, i := range of {
			was := k.reconciled[i.likeness]
			_, mine := was.Deliveries[i.FeedbackID]
			switch {
			case len(deliveries) >= len(of) && (!mute || k.forgetful || i.From == "" && i.Text == ""):
				i.is(deliveries[n])
			case len(deliveries) > 0 && mute:
				i.State, i.Why = Ambiguous, "a delivery of the same session, of which no words are remembered, may be it"
			case len(deliveries) > 0:
				i.State, i.Why = Ambiguous, "the same was said more often than it came"
			case len(was.Deliveries) > 0 && !mine:
				i.State, i.Why = Ambiguous, "the same was said before, and reconciled"
			}
		}
		for _, d := range deliveries {
			d.taken = d.taken || len(deliveries) < len(of)
		}
	}
}

// rest sets the state of the items for which nothing was found. If a later feedback has
// come, that bounds how new an item can be: the clocks are only used for the order.
func (k *knowledge) rest(items []*Item, now time.Time) {
	latest := now
	for _, i := range items {
		if i.delivery != nil {
			latest = first(latest, i.delivery.Received())
		}
		if i.State != "" {
			continue
		}
		like := slices.IndexFunc(k.entries, func(d *delivery) bool { return d.mayBe(i) })
		switch {
		case like >= 0:
			i.State, i.DeliveryID = Ambiguous, k.entries[like].DeliveryID
			i.Why = cmp.Or(i.Why, "a delivery of the same session, or of the same words, may be it")
		case now.Sub(first(latest, i.latest)) < tooNew:
			i.State, i.Why = Recent, "its webhook may still come: it may be less than an hour old"
		case k.forgetful:
			i.State, i.Why = Unknown, "the ledger remembers no texts, and has nothing of its session"
		case now.Sub(i.earliest) > tooOld:
			i.State, i.Why = Unknown, "it may be older than 30 days: the ledger may have forgotten it"
		case i.earliest.Before(k.begins):
			i.State, i.Why = Unknown, "it may be older than what the ledger remembers"
		default:
			i.State = Missing
		}
	}
}
