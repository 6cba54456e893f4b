// Package deliveries answers what became of a feedback, for people who know something about
// it: an email address, words, an app, a time, a session or a ticket. It reads the ledger,
// and changes nothing.
package deliveries

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/testfairy/api"
)

// Config configures a [Finder].
type Config struct {
	// Home is the bridge whose deliveries are searched.
	Home *home.Home
	// Mapping provides links to tickets where no mapping in the ledger does; nil for none.
	Mapping *mapping.Config
}

// Finder finds deliveries. It is safe for concurrent use.
type Finder struct {
	home    *home.Home
	ledger  *ledger.Ledger
	mapping *mapping.Config

	mu sync.Mutex
	// ran caches mappings by their hash; nil for one that the ledger does not have.
	ran map[string]*mapping.Config
}

// New returns a finder. An error is about c.
func New(c Config) (*Finder, error) {
	l, err := ledger.New(ledger.Config{Store: c.Home.Ledger})
	if err != nil {
		return nil, err
	}
	return &Finder{home: c.Home, ledger: l, mapping: c.Mapping, ran: map[string]*mapping.Config{}}, nil
}

// Delivery is a delivery as people and their programs see it.
type Delivery struct {
	DeliveryID string    `json:"deliveryId"`
	ReceivedAt time.Time `json:"receivedAt"`
	Kind       string    `json:"kind,omitempty"`
	App        string    `json:"app,omitempty"`
	Version    string    `json:"version,omitempty"`
	Build      string    `json:"build,omitempty"`
	// Session is the path of the session's page, SessionURL its address, as far as that
	// is known.
	Session    string `json:"session,omitempty"`
	SessionURL string `json:"sessionUrl,omitempty"`
	From       string `json:"from,omitempty"`
	Text       string `json:"text,omitempty"`
	// State is the value of [ledger.Entry.Standing].
	State string `json:"state"`
	// Reason, Status and Problem come from the last fault of an unfinished delivery.
	Reason    string    `json:"reason,omitempty"`
	Status    int       `json:"status,omitempty"`
	Problem   string    `json:"problem,omitempty"`
	Project   string    `json:"project,omitempty"`
	TicketID  string    `json:"ticketId,omitempty"`
	TicketURL string    `json:"ticketUrl,omitempty"`
	Attempts  int       `json:"attempts"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Find calls visit for at most limit matching deliveries. In a folder they are the last
// received, latest first; on a stack those that were found first, in no order. more means
// that there are others.
func (f *Finder) Find(ctx context.Context, q ledger.Query, limit int, visit func(Delivery) error) (more bool, err error) {
	// The path of a session's address is what is remembered.
	if _, after, ok := strings.Cut(q.Session, "://"); ok {
		_, q.Session, _ = strings.Cut(after, "/")
	}
	n := 0
	var failed error
	err = f.home.History.Search(ctx, q, func(e ledger.Entry) bool {
		if n == limit {
			more = true
			return false
		}
		n++
		failed = visit(f.describe(ctx, e))
		return failed == nil
	})
	return more, errors.Join(failed, err)
}

func (f *Finder) describe(ctx context.Context, e ledger.Entry) Delivery {
	d := Delivery{
		DeliveryID: e.DeliveryID, ReceivedAt: e.Received().UTC(), State: e.Standing(),
		TicketID: e.TicketID, Attempts: e.Attempts, UpdatedAt: e.UpdatedAt.UTC(),
	}
	if a := e.About; a != nil {
		d.Kind, d.App, d.Version, d.Build, d.Session, d.From, d.Text = a.Kind, a.App, a.Version, a.Build, a.Session, a.Email, a.Text
		d.SessionURL = f.session(a)
	}
	if e.Last != nil && e.State != ledger.Completed {
		d.Reason, d.Status, d.Problem = e.Last.Reason, e.Last.Status, e.Last.Text
	}
	if e.Where != nil {
		d.Project = e.Where.Project
	}
	if e.TicketID != "" && e.Where != nil {
		d.TicketURL = f.link(ctx, e)
	}
	return d
}

// link returns the page of the delivery's ticket, by the mapping that created it; "" if
// there is none.
func (f *Finder) link(ctx context.Context, e ledger.Entry) string {
	for _, m := range []*mapping.Config{f.mappingOf(ctx, e.Where.Mapping), f.mapping} {
		if m != nil {
			if link := m.Centercode.TicketURL(e.Where.Project, e.TicketID); link != "" {
				return link
			}
		}
	}
	return ""
}

// session returns the page of a delivery's session: at the webhook's host or, where the
// ledger does not have that, at the account's.
func (f *Finder) session(a *ledger.About) string {
	page := &url.URL{Scheme: "https", Host: a.SessionHost}
	if page.Host == "" && f.mapping != nil && f.mapping.TestFairy.BaseURL != "" {
		page, _ = url.Parse(api.Pages(f.mapping.TestFairy.BaseURL)) // it was checked when the mapping was read
	}
	if page.Host == "" || a.Session == "" {
		return ""
	}
	page.Path = a.Session
	return page.String()
}

// mappingOf returns the mapping with a hash; nil if the ledger does not have it, since a
// missing link is not worth an error.
func (f *Finder) mappingOf(ctx context.Context, hash string) *mapping.Config {
	if hash == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if m, asked := f.ran[hash]; asked {
		return m
	}
	text, err := f.ledger.Mapping(ctx, hash)
	var m *mapping.Config
	if err == nil {
		m, _ = mapping.Parse("", []byte(text)) // it is valid, since it ran
	}
	f.ran[hash] = m
	return m
}

// ErrNone means that there is no such delivery.
var ErrNone = errors.New("the ledger has no such delivery")

// Get returns the delivery with that id, or with an id that starts with it, given six
// characters or more. The error wraps [ErrNone], or says that several match.
func (f *Finder) Get(ctx context.Context, id string, progress func(looked int)) (Delivery, ledger.Entry, error) {
	id = strings.ToLower(id)
	e, err := f.ledger.Entry(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		e, err = f.begins(ctx, id, progress)
	}
	if err != nil {
		return Delivery{}, ledger.Entry{}, err
	}
	return f.describe(ctx, e), e, nil
}

func (f *Finder) begins(ctx context.Context, id string, progress func(looked int)) (ledger.Entry, error) {
	const most = 10
	var found []ledger.Entry
	err := f.home.History.Search(ctx, ledger.Query{ID: id, Progress: progress}, func(e ledger.Entry) bool {
		found = append(found, e)
		return len(found) < most
	})
	switch {
	case err != nil:
		return ledger.Entry{}, err
	case len(found) == 0:
		return ledger.Entry{}, fmt.Errorf("%s: %w", id, ErrNone)
	case len(found) > 1:
		var ids []string
		for _, e := range found {
			ids = append(ids, e.DeliveryID)
		}
		return ledger.Entry{}, fmt.Errorf("%s is the beginning of several delivery ids: %s", id, strings.Join(ids, ", "))
	}
	return found[0], nil
}
