package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy/api"
)

func newWebhookRegister(std streams) *cobra.Command {
	var at place
	var who account
	var name, address string
	var events, projects []string
	var onlyPrint, showToken, dryRun bool
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Make TestFairy send its events to this bridge",
		Long: `Adds the webhook in TestFairy through its REST API, or changes an existing one,
which it finds by its address or otherwise by its name. It can be repeated, and is how
TestFairy gets a new token.

It needs the account's email address (--user or ` + userVariable + `) and its API key
('fairbridge secrets put ` + secrets.TestFairyAPIKey + `'). Without them, or with --print, it
prints what to enter in TestFairy's dashboard instead.

Whoever has the token in the webhook's URL can send to the bridge, so it is not
printed: it goes from the secrets to TestFairy. Only instructions for a person have to
show it, with --show-token.`,
		Example: `  fairbridge webhook register --stack fairbridge-prod --user you@example.com
  fairbridge webhook register --stack fairbridge-prod --print --show-token
  fairbridge webhook register --url https://bridge.example.com/webhooks/testfairy --events feedback --testfairy eu`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			events, projects = list(events), list(projects)
			for _, event := range events {
				if !slices.Contains(documentedActions, event) {
					return usage("--events: there is no event %q; there are %s", event, strings.Join(documentedActions, ", "))
				}
			}
			if len(events) == 0 {
				return usage("--events names none")
			}
			ctx := cmd.Context()
			return at.use(ctx, func(t *home.Home) error {
				r, err := findRegistration(ctx, t, name, address)
				if err != nil {
					return err
				}
				r.Actions, r.ProjectIDs = events, projects
				switch {
				case r.URL == "":
					return usage("TestFairy cannot reach this machine directly; give the bridge's public address with --url")
				case len(r.Tokens) == 0:
					return noToken(t)
				case onlyPrint:
					return instruct(std.out, r, t, showToken)
				}
				client, err := who.client(ctx, t)
				if errors.Is(err, errNoAccount) {
					// It is left to the user.
					fmt.Fprintf(std.err, "fairbridge: %v\n\n", err)
					return errors.Join(instruct(std.out, r, t, showToken), errSaid)
				}
				if err != nil {
					return err
				}
				err = register(ctx, std.out, client, r, dryRun)
				if slices.Contains(events, "feedback") && (errors.Is(err, api.ErrGone) || client.Ending().Deprecated) {
					fmt.Fprintln(std.err, "fairbridge: "+newPlatform)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the webhook's `name` in TestFairy (default: FairBridge, with the stack's name)")
	cmd.Flags().StringVar(&address, "url", "", "public `address` of the webhook, without the token (default: the stack's)")
	cmd.Flags().StringSliceVar(&events, "events", []string{"feedback", "crash"}, "`events` to send: "+strings.Join(documentedActions, ", "))
	cmd.Flags().StringSliceVar(&projects, "projects", nil, "`ids` of the TestFairy projects whose events are sent")
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "print what to enter in TestFairy's dashboard, and do nothing")
	cmd.Flags().BoolVar(&showToken, "show-token", false, "show the token in the output")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be done in TestFairy, and do nothing")
	who.flags(cmd)
	at.flags(cmd)
	return cmd
}

// newPlatform is what is said where the REST API is not that of the classic TestFairy.
const newPlatform = "this seems to be Sauce Labs' new platform. It has webhooks for upload, download and new-udid, and none for feedback: " +
	"no feedback will come from it. Register at the classic TestFairy that your app reports to (--testfairy legacy, or its URL), " +
	"or type the webhook into its dashboard (--print)."

// register registers the webhook, and prints what was done or, in a dry run, would be.
func register(ctx context.Context, out io.Writer, client *api.Client, r api.Registration, dryRun bool) error {
	done, err := client.Register(ctx, r, dryRun)
	if done.Found > 1 {
		fmt.Fprintf(out, "%d webhooks in TestFairy are this bridge's; the first is taken. Each sends every event; the bridge makes one ticket of them.\n", done.Found)
	}
	if errors.Is(err, api.ErrNotListed) {
		return fmt.Errorf("%w; see 'fairbridge webhook list'", err)
	}
	if err != nil {
		return err
	}
	verb := "Added"
	if done.Existed {
		verb = "Changed"
	}
	switch {
	case done.Existed && len(done.Changes) == 0:
		verb = "TestFairy has it already"
	case dryRun:
		verb = "Would be " + strings.ToLower(verb)
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", verb, describe(done.Webhook, done.Changes...))
	return err
}

// describe is a webhook in a line, without its token.
func describe(w api.Webhook, changes ...string) string {
	text := "webhook "
	if w.ID != "" {
		text += w.ID + " "
	}
	text += fmt.Sprintf("%q, %s to %s", terminal.Printable(w.Name), terminal.Printable(strings.Join(w.Actions, " and ")), terminal.Printable(w.Address()))
	if len(w.ProjectIDs) > 0 {
		text += ", projects " + terminal.Printable(strings.Join(w.ProjectIDs, ", "))
	}
	if len(changes) > 0 {
		text += " (changed: " + strings.Join(changes, ", ") + ")"
	}
	return text
}

// ticks are the boxes of TestFairy's dashboard, as far as they are documented.
var ticks = map[string]string{"feedback": "User feedback", "crash": "Crash", "upload": "Upload", "new-udid": "New UDID"}

// instruct says what a person types into TestFairy's dashboard.
func instruct(out io.Writer, r api.Registration, t *home.Home, showToken bool) error {
	full := r.Address() + "?token=..."
	after := "The token is shown here as \"...\", since whoever has it can send to the bridge.\nTo see the URL to copy: " +
		t.Command("webhook register --print --show-token")
	if !t.OnAWS() {
		after += " --url " + r.Address()
	}
	if showToken {
		full, after = r.URL, "Keep this URL to yourself: whoever has it can send to the bridge."
	}
	var boxes []string
	for _, event := range r.Actions {
		boxes = append(boxes, ticks[event])
	}
	_, err := fmt.Fprintf(out, `In TestFairy's dashboard, Preferences > Integrations > Add Integration:
  name  %s
  URL   %s
  tick  %s

%s
`, r.Name, full, strings.Join(boxes, ", "), after)
	return err
}
