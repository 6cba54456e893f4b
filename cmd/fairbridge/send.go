package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
)

const (
	sendTimeout = 30 * time.Second
	maxAnswer   = 64 << 10
)

// webhookVariable names the environment variable with the webhook's URL.
const webhookVariable = "FAIRBRIDGE_WEBHOOK_URL"

func newSend(std streams) *cobra.Command {
	var webhook string
	var at place
	cmd := &cobra.Command{
		Use:   "send FILE...",
		Short: "Send payloads to the bridge as TestFairy would",
		Long: `Sends each file to the webhook and prints the answer. It goes to the bridge that
'fairbridge run' has running on this machine, or with --stack to the one on AWS;
their token is taken from their secrets. "-" reads the payload from standard
input. The exit code is 1 if a payload was not taken.

Another address for the same bridge, such as a tunnel's, is --url: without a
token in it, the bridge's token is added. ` + webhookVariable + ` may hold the whole
URL with its token; --url, --stack and --data go before it.`,
		Example: `  fairbridge send events/feedback.json
  fairbridge send events/feedback.json --stack fairbridge-prod
  fairbridge send events/*.json --url https://bridge.example.com/webhooks/testfairy`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("send needs the file of a payload, for example events/feedback.json")
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
	// A URL on the command line is in the shell's history, its token too.
	cmd.Flags().StringVar(&webhook, "url", "", "address of the webhook; the token is better left out (default: the bridge's own)")
	at.flags(cmd)
	return cmd
}

func sendFiles(ctx context.Context, std streams, webhook string, files []string) error {
	refused := false
	for _, file := range files {
		status, answer, err := sendFile(ctx, webhook, file, std.in)
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

// findWebhook returns the URL to send to, with the token. address is the user's
// own idea of it, "" if there is none.
func findWebhook(ctx context.Context, at *place, address string) (string, error) {
	if address != "" {
		u, err := parseWebhook(address)
		if err != nil {
			return "", err
		}
		if u.Query().Has("token") {
			return address, at.check()
		}
	}
	t, err := at.open(ctx)
	if err != nil {
		return "", err
	}
	defer t.Close()
	if address == "" {
		address = t.Webhook
	}
	if address == "" {
		_, err := runningAt(at.data)
		return "", err
	}
	tokens, err := t.tokens(ctx)
	if err != nil {
		return "", err
	}
	if len(tokens) == 0 {
		return "", noToken(at)
	}
	return withToken(address, tokens[0])
}

// parseWebhook checks an address that a token will be sent to. Its errors do
// not show it: it may have a token.
func parseWebhook(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, usage("the webhook's URL must be like https://bridge.example.com%s", ingest.Path)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, usage("the webhook's URL must start with https:// (http:// on this machine only), since the token is in it")
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tokens are the webhook's, the one to send first; none if there is no such
// secret yet.
func (t *target) tokens(ctx context.Context) ([]string, error) {
	value, err := secrets.New(parameterstore.New(t.SSM), t.SecretsPrefix).Get(ctx, secrets.WebhookToken)
	if err != nil && !errors.Is(err, secrets.ErrNotFound) {
		return nil, err
	}
	return secrets.Tokens(value), nil
}

func noToken(at *place) error {
	return fmt.Errorf("there is no %s yet; make one: %s", secrets.WebhookToken, at.command("secrets put webhook-token --generate"))
}

// withToken adds the token to a webhook's address.
func withToken(address, token string) (string, error) {
	u, err := parseWebhook(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("token", token)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// localWebhook is the webhook of a bridge on this machine, without the token.
func localWebhook(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		// It listens on every address; here, loopback reaches it.
		address = net.JoinHostPort("127.0.0.1", port)
	}
	u := url.URL{Scheme: "http", Host: address, Path: ingest.Path}
	return u.String()
}

func webhookURL(address, token string) string {
	return localWebhook(address) + "?" + url.Values{"token": {token}}.Encode()
}

func sendFile(ctx context.Context, webhook, file string, stdin io.Reader) (status int, answer string, err error) {
	var payload []byte
	if file == "-" {
		payload, err = io.ReadAll(io.LimitReader(stdin, 16<<20))
	} else {
		payload, err = os.ReadFile(file)
	}
	if err != nil {
		return 0, "", fmt.Errorf("read payload: %w", err)
	}
	return post(ctx, webhook, payload)
}

// post sends one payload. Its error does not show the URL, which has the token.
func post(ctx context.Context, webhook string, payload []byte) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, bytes.NewReader(payload))
	if err != nil {
		return 0, "", errors.New("send payload: the webhook's URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := noRedirects.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, "", fmt.Errorf("send payload: no bridge answers at %s", req.URL.Host)
	}
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return 0, "", fmt.Errorf("send payload: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("read the answer to a payload: %w", err)
	}
	return resp.StatusCode, string(body), nil
}

// noRedirects shows a redirect as the answer that it is: following it could
// tell the token to whoever it leads to.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
