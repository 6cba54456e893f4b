package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	return group(&cobra.Command{Use: "webhook", Short: "Register the webhook in TestFairy"}, newWebhookRegister(std), newWebhookList(std))
}

// account is the TestFairy account that a command is about.
type account struct{ user, base string }

// bases are the names that --testfairy may have instead of a URL.
var bases = map[string]string{"us": api.US, "eu": api.EU, "legacy": api.Legacy}

func (a *account) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.user, "user", os.Getenv(userVariable), "`email` address of the TestFairy account (or "+userVariable+")")
	cmd.Flags().StringVar(&a.base, "testfairy", cmp.Or(os.Getenv(baseVariable), "us"), "the account's `site`: us, eu, legacy, or a URL (or "+baseVariable+")")
}

// errNoAccount says that there are no credentials for TestFairy's REST API.
var errNoAccount = errors.New("no credentials for TestFairy's REST API")

// client returns a client of the account's REST API, or an [errNoAccount] that
// says what is missing.
func (a *account) client(ctx context.Context, t *home.Home) (*api.Client, error) {
	if a.user == "" {
		return nil, fmt.Errorf("%w: give the account's email address with --user or %s", errNoAccount, userVariable)
	}
	key, err := t.Secret(ctx, secrets.TestFairyAPIKey)
	if errors.Is(err, secrets.ErrNotFound) {
		return nil, fmt.Errorf("%w: store the account's API key: %s", errNoAccount, t.Command("secrets put "+secrets.TestFairyAPIKey))
	}
	if err != nil {
		return nil, err
	}
	client, err := api.New(api.Config{BaseURL: cmp.Or(bases[a.base], a.base), Credentials: api.Credentials{User: a.user, Key: key}})
	if errors.Is(err, api.ErrInvalidBase) {
		return nil, usage("--testfairy must be us, eu, legacy or an https URL")
	}
	return client, err
}

// outlook returns what asks TestFairy when its REST API ends: with the account of the
// environment, or of a mapping file. It is nil without one.
func outlook(ctx context.Context, t *home.Home, config string) func(context.Context) string {
	who := account{user: os.Getenv(userVariable), base: os.Getenv(baseVariable)}
	if m, err := mapping.Load(config); err == nil && who.user == "" {
		who = account{user: m.TestFairy.User, base: m.TestFairy.BaseURL}
	}
	who.base = cmp.Or(who.base, "us")
	client, err := who.client(ctx, t)
	if err != nil {
		return nil
	}
	return func(ctx context.Context) string {
		ctx, cancel := context.WithTimeout(ctx, outlookTimeout)
		defer cancel()
		return client.Outlook(ctx)
	}
}

// findRegistration returns the webhook of an open bridge as it should be in TestFairy, for
// no events yet. Its address is empty if it is not known, and its tokens may be missing.
func findRegistration(ctx context.Context, t *home.Home, name, address string) (r api.Registration, err error) {
	r.Enabled, r.Name = true, cmp.Or(name, "FairBridge")
	if name == "" && t.Stack != "" {
		// Each stack has its own, so that one is never taken for another.
		r.Name += " (" + t.Stack + ")"
	}
	if r.Tokens, err = t.Tokens(ctx); err != nil {
		return r, err
	}
	if address == "" && t.OnAWS() {
		address = t.Webhook()
	}
	if address == "" {
		return r, nil
	}
	u, err := home.ParseWebhook(address)
	if err != nil {
		return r, usageError{err}
	}
	if u.RawQuery != "" {
		return r, usage("--url must come without a query; the token is added from the secrets")
	}
	if r.URL = u.String(); len(r.Tokens) > 0 {
		r.URL, err = withToken(r.URL, r.Tokens[0])
	}
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
