package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// ErrNotListed means that TestFairy accepted a webhook, but does not list it as it was
// sent.
var ErrNotListed = errors.New("TestFairy answered ok, but does not list the webhook as registered")

// Registration is a bridge's webhook as it should be in TestFairy.
type Registration struct {
	Webhook
	// Tokens are those that the bridge accepts: the current one, which the webhook's URL
	// has, and a previous one.
	Tokens []string
}

// Registered is the result of [Client.Register].
type Registered struct {
	// Webhook is the webhook as TestFairy lists it or, in a dry run, as it would be sent.
	Webhook Webhook
	// Existed reports whether TestFairy had the webhook before; Changes then names what was
	// different in it.
	Existed bool
	Changes []string
	// Found is how many webhooks were the bridge's. The first of them is the one that is
	// changed.
	Found int
}

// Find returns the webhooks that are the bridge's: those with its address or, if there are
// none, those with its name, as after a deploy under another address.
func (r Registration) Find(all []Webhook) []Webhook {
	for _, is := range []func(Webhook) bool{r.LeadsHere, func(w Webhook) bool { return w.Name == r.Name }} {
		if ours := slices.DeleteFunc(slices.Clone(all), func(w Webhook) bool { return !is(w) }); len(ours) > 0 {
			return ours
		}
	}
	return nil
}

// LeadsHere reports whether w has the address of the bridge.
func (r Registration) LeadsHere(w Webhook) bool { return w.Address() == r.Address() }

// TokenOf returns which of the tokens a webhook with the bridge's address has: current,
// previous, wrong or none; "" for another webhook.
func (r Registration) TokenOf(w Webhook) string {
	u, err := url.Parse(w.URL)
	if err != nil || !r.LeadsHere(w) {
		return ""
	}
	switch token := u.Query().Get("token"); {
	case token == "":
		return "none"
	case len(r.Tokens) > 0 && token == r.Tokens[0]:
		return "current"
	case len(r.Tokens) > 1 && token == r.Tokens[1]:
		return "previous"
	}
	return "wrong"
}

// Register adds the webhook, or changes the one that is there, and checks that TestFairy
// lists it afterwards. If r names no projects, an existing webhook keeps its own. dryRun
// changes nothing. The errors are those of the calls, or [ErrNotListed].
func (c *Client) Register(ctx context.Context, r Registration, dryRun bool) (Registered, error) {
	all, err := c.Webhooks(ctx)
	if err != nil {
		return Registered{}, err
	}
	ours := r.Find(all)
	done := Registered{Webhook: r.Webhook, Existed: len(ours) > 0, Found: len(ours)}
	want := &done.Webhook
	if done.Existed {
		want.ID = ours[0].ID
		if len(want.ProjectIDs) == 0 {
			want.ProjectIDs = ours[0].ProjectIDs
		}
		done.Changes = differences(ours[0], *want)
	}
	switch {
	case dryRun, done.Existed && len(done.Changes) == 0:
		return done, nil
	case done.Existed:
		err = c.ChangeWebhook(ctx, *want)
	default:
		err = c.AddWebhook(ctx, *want)
	}
	if err != nil {
		return done, err
	}
	if all, err = c.Webhooks(ctx); err != nil {
		return done, fmt.Errorf("look whether it was done: %w", err)
	}
	i := slices.IndexFunc(all, func(w Webhook) bool {
		return (want.ID == "" || w.ID == want.ID) && len(differences(w, *want)) == 0
	})
	if i < 0 {
		return done, ErrNotListed
	}
	done.Webhook = all[i]
	return done, nil
}

// differences returns what of a webhook is not as it should be.
func differences(is, want Webhook) []string {
	var all []string
	differs := func(what string, yes bool) {
		if yes {
			all = append(all, what)
		}
	}
	sorted := func(s []string) []string { return slices.Sorted(slices.Values(s)) }
	differs("name", is.Name != want.Name)
	differs("address", is.Address() != want.Address())
	differs("token", is.Address() == want.Address() && is.URL != want.URL)
	differs("events", !slices.Equal(sorted(is.Actions), sorted(want.Actions)))
	differs("projects", len(want.ProjectIDs) > 0 && !slices.Equal(sorted(is.ProjectIDs), sorted(want.ProjectIDs)))
	differs("switched on", !is.Enabled)
	return all
}
