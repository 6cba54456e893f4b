package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy/api"
)

// outlookTimeout is what TestFairy has to say when its REST API ends.
const outlookTimeout = 10 * time.Second

// The environment variables of TestFairy's account.
const (
	userVariable = "TESTFAIRY_USER"
	baseVariable = "TESTFAIRY_URL"
)

func newWebhook(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Register the webhook in TestFairy",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWebhookRegister(std), newWebhookList(std))
	return cmd
}

// account is the TestFairy account that a command is about.
type account struct{ user, base string }

// bases are the names that --testfairy may have instead of a URL.
var bases = map[string]string{"us": api.US, "eu": api.EU, "legacy": api.Legacy}

func (a *account) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.user, "user", os.Getenv(userVariable), "email address of the TestFairy account (or "+userVariable+")")
	base := os.Getenv(baseVariable)
	if base == "" {
		base = "us"
	}
	cmd.Flags().StringVar(&a.base, "testfairy", base, "the account's site: us, eu, legacy, or a URL (or "+baseVariable+")")
}

// errNoAccount says that there are no credentials for TestFairy's REST API.
var errNoAccount = errors.New("no credentials for TestFairy's REST API")

// client returns a client of the account's REST API, or an [errNoAccount] that
// says what is missing.
func (a *account) client(ctx context.Context, t *home.Home, at *place) (*api.Client, error) {
	if a.user == "" {
		return nil, fmt.Errorf("%w: give the account's email address with --user or %s", errNoAccount, userVariable)
	}
	key, err := t.Secret(ctx, secrets.TestFairyAPIKey)
	if errors.Is(err, secrets.ErrNotFound) {
		return nil, fmt.Errorf("%w: store the account's API key: %s", errNoAccount, at.Command("secrets put "+secrets.TestFairyAPIKey))
	}
	if err != nil {
		return nil, err
	}
	base, ok := bases[a.base]
	if !ok {
		base = a.base
	}
	client, err := api.New(api.Config{BaseURL: base, Credentials: api.Credentials{User: a.user, Key: key}})
	if errors.Is(err, api.ErrInvalidBase) {
		return nil, usage("--testfairy must be us, eu, legacy or an https URL")
	}
	return client, err
}

// outlook returns what asks TestFairy when its REST API ends: with the account of the
// environment, or of a mapping file. It is nil without one.
func outlook(ctx context.Context, t *home.Home, at *place, config string) func(context.Context) string {
	who := account{user: os.Getenv(userVariable), base: os.Getenv(baseVariable)}
	if m, err := mapping.Load(config); err == nil && who.user == "" {
		who = account{user: m.TestFairy.User, base: m.TestFairy.BaseURL}
	}
	if who.base == "" {
		who.base = "us"
	}
	client, err := who.client(ctx, t, at)
	if err != nil {
		return nil
	}
	return func(ctx context.Context) string {
		ctx, cancel := context.WithTimeout(ctx, outlookTimeout)
		defer cancel()
		return client.Outlook(ctx)
	}
}

// registration is the webhook as it is to be in TestFairy.
type registration struct {
	name, address string
	events        []string
	projects      []string
	// tokens are those that the bridge lets in, the one to register first.
	tokens []string
}

// webhook is what TestFairy gets.
func (r registration) webhook() (api.Webhook, error) {
	full, err := withToken(r.address, r.tokens[0])
	if err != nil {
		return api.Webhook{}, err
	}
	return api.Webhook{Enabled: true, Name: r.name, URL: full, Actions: r.events, ProjectIDs: r.projects}, nil
}

// is says whether a webhook of TestFairy's leads to this bridge.
func (r registration) is(w api.Webhook) bool { return w.Address() == r.address }

// find returns the webhooks that are this bridge's: those that lead to it, or
// else those that have its name, as after a deploy under another address.
func (r registration) find(all []api.Webhook) (ours []api.Webhook) {
	for _, w := range all {
		if r.is(w) {
			ours = append(ours, w)
		}
	}
	if len(ours) > 0 {
		return ours
	}
	for _, w := range all {
		if w.Name == r.name {
			ours = append(ours, w)
		}
	}
	return ours
}

// tokenOf says in a word which token a webhook of TestFairy's has.
func (r registration) tokenOf(w api.Webhook) string {
	u, err := url.Parse(w.URL)
	if err != nil || !r.is(w) {
		return ""
	}
	switch token := u.Query().Get("token"); {
	case token == "":
		return "none"
	case len(r.tokens) > 0 && token == r.tokens[0]:
		return "current"
	case len(r.tokens) > 1 && token == r.tokens[1]:
		return "previous"
	}
	return "wrong"
}

// findRegistration returns what leads to the bridge of a place: its tokens may
// be missing.
func findRegistration(ctx context.Context, t *home.Home, at *place, name, address string) (registration, error) {
	r := registration{name: name, address: address}
	if r.name == "" {
		// Each stack has its own, so that one is never taken for another.
		r.name = "FairBridge"
		if at.Stack != "" {
			r.name += " (" + at.Stack + ")"
		}
	}
	if r.address == "" && t.OnAWS() {
		r.address = t.Webhook
	}
	if r.address != "" {
		u, err := home.ParseWebhook(r.address)
		if err != nil {
			return r, usageError{err}
		}
		if u.RawQuery != "" {
			return r, usage("--url must come without a query; the token is added from the secrets")
		}
		r.address = u.String()
	}
	var err error
	r.tokens, err = t.Tokens(ctx)
	return r, err
}

// documentedActions are those that TestFairy's REST API is documented to take.
var documentedActions = []string{"feedback", "crash", "upload", "new-udid"}

// list is a comma-separated flag without empty parts.
func list(values []string) []string {
	var parts []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			parts = append(parts, v)
		}
	}
	return parts
}
