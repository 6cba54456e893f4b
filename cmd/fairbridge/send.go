package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
)

const webhookVariable = "FAIRBRIDGE_WEBHOOK_URL"

// maxSent bounds a payload in bytes. It is far above what a bridge accepts, so that the
// bridge's answer is seen.
const maxSent = 16 << 20

func newSend(std streams) *cobra.Command {
	var webhook string
	var at place
	cmd := &cobra.Command{
		Use:   "send FILE...",
		Short: "Send payloads to the bridge as TestFairy would",
		Long: `Sends each file to the webhook and prints the answer: to the bridge that runs on
this machine, or with --stack to the one on AWS, with the token from its secrets. "-"
reads the payload from standard input. The exit code is 1 if a payload was not
accepted.

--url is another address of the same bridge, such as a tunnel's; if it has no token,
the bridge's token is added. ` + webhookVariable + ` may contain the complete URL
with its token; --url, --stack and --data take precedence.`,
		Example: `  fairbridge send events/feedback.json
  fairbridge send events/feedback.json --stack fairbridge-prod
  fairbridge send events/*.json --url https://bridge.example.com/webhooks/testfairy`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("give the file of a payload, for example events/feedback.json")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			if webhook == "" && !at.given("stack") && !at.given("data") {
				webhook = os.Getenv(webhookVariable)
			}
			where, err := findWebhook(cmd.Context(), &at, webhook)
			if err != nil {
				return err
			}
			return sendFiles(cmd.Context(), std, where, files)
		},
	}
	// A URL on the command line ends up in the shell's history, including its token.
	cmd.Flags().StringVar(&webhook, "url", "", "`address` of the webhook, preferably without the token (default: the bridge's own)")
	at.flags(cmd)
	return cmd
}

func sendFiles(ctx context.Context, std streams, webhook string, files []string) error {
	refused := false
	for _, file := range files {
		payload, err := readInput(file, std.in, maxSent)
		if err != nil {
			return fmt.Errorf("read payload: %w", err)
		}
		status, answer, err := home.Send(ctx, webhook, payload)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s: HTTP %d %s\n", file, status, strings.TrimSpace(answer))
		refused = refused || status >= 300
	}
	if refused {
		return errSaid
	}
	return nil
}

// findWebhook returns the URL to send to, including the token. address is the user's, "" if
// not given.
func findWebhook(ctx context.Context, at *place, address string) (webhook string, err error) {
	if address != "" {
		u, err := home.ParseWebhook(address)
		if err != nil {
			return "", usageError{err}
		}
		if u.Query().Has("token") {
			return address, at.check()
		}
	}
	err = at.use(ctx, func(t *home.Home) error {
		webhook, err = webhookOf(ctx, t, address)
		return err
	})
	return webhook, err
}

// webhookOf returns the URL of an open bridge's webhook, including the token.
func webhookOf(ctx context.Context, t *home.Home, address string) (string, error) {
	if address = cmp.Or(address, t.Webhook()); address == "" {
		return "", noneRuns(t)
	}
	tokens, err := t.Tokens(ctx)
	if err != nil {
		return "", err
	}
	if len(tokens) == 0 {
		return "", noToken(t)
	}
	return withToken(address, tokens[0])
}

// noneRuns returns why there is no webhook to send to.
func noneRuns(t *home.Home) error {
	_, err := home.ListenAddress(t.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no bridge runs in %s; start one with 'fairbridge run', or name a webhook with --url", t.Folder)
	}
	return err
}

func noToken(t *home.Home) error {
	return fmt.Errorf("%w; make one: %s", home.ErrNoToken, t.Command("secrets put webhook-token --generate"))
}

func withToken(address, token string) (string, error) {
	full, err := home.WithToken(address, token)
	if err != nil {
		return "", usageError{err}
	}
	return full, nil
}
