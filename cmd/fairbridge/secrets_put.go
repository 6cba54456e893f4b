package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

// tokenChange is a change of the webhook token that nobody types.
type tokenChange struct{ generate, rotate, dropPrevious bool }

func newSecretsPut(std streams) *cobra.Command {
	at := place{create: true}
	var change tokenChange
	cmd := &cobra.Command{
		Use:   "put NAME",
		Short: "Store a secret, read from the terminal without echo, or from standard input",
		Long: `Stores one of ` + strings.Join(secretNames(), ", ") + `.
The value is never an argument, so that it is not in the shell's history, and it is
never printed.

Use --generate for the webhook token: nobody needs to know it, since 'fairbridge
webhook register' reads it from here. To replace it without losing feedback:
--rotate generates a new one, and the previous one is still accepted; then
'fairbridge webhook register' makes TestFairy send the new one; then --drop-previous
ends the old one.`,
		Example: `  fairbridge secrets put centercode-api-key
  fairbridge secrets put webhook-token --generate --stack fairbridge-prod
  fairbridge secrets put webhook-token --rotate --stack fairbridge-prod
  pass show centercode | fairbridge secrets put centercode-api-key --data /var/lib/fairbridge`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				// It is not repeated here.
				return usage("a value is not accepted as an argument: the shell's history has it now, so replace it, and run the command without it")
			}
			return exactly("a name: "+strings.Join(secretNames(), ", "))(cmd, args)
		},
		ValidArgs: secretNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if !slices.Contains(secretNames(), name) {
				return usage("there is no secret %q; the names are %s", name, strings.Join(secretNames(), ", "))
			}
			if err := change.check(name); err != nil {
				return err
			}
			return at.use(cmd.Context(), func(t *home.Home) error {
				if change != (tokenChange{}) {
					return changeToken(cmd.Context(), std.err, t, change)
				}
				return putSecret(cmd.Context(), std, t, name)
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&change.generate, "generate", false, "generate the webhook token; refuses if there is one")
	cmd.Flags().BoolVar(&change.rotate, "rotate", false, "generate a new webhook token; the previous one is still accepted")
	cmd.Flags().BoolVar(&change.dropPrevious, "drop-previous", false, "accept only the newest webhook token")
	return cmd
}

func secretNames() []string { return append(secrets.Names(), secrets.ConsolePassword) }

// putSecret stores a value that a person gives; of the console's password only its hash.
func putSecret(ctx context.Context, std streams, t *home.Home, name string) error {
	value, err := readSecret(ctx, std, name)
	if err != nil {
		return err
	}
	used := "A running bridge reads it within 5 minutes, and at once if the old one is rejected."
	stored := value
	if name == secrets.ConsolePassword {
		used = "A console takes it when it is started."
		if stored, err = console.HashPassword(value); err != nil {
			return usageError{err}
		}
	}
	if err := t.PutSecret(ctx, name, stored); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "Stored %s. %s\n", name, used)
	if name != secrets.ConsolePassword {
		if odd := secrets.Odd(value); len(odd) > 0 {
			fmt.Fprintf(std.err, "This value contains %s, which is unusual for %s: if it was mistyped, store it again.\n", strings.Join(odd, " and "), name)
		}
		warnOverridden(std.err, t, name)
	}
	return nil
}

func (c tokenChange) check(name string) error {
	switch ways := count(c.generate, c.rotate, c.dropPrevious); {
	case ways > 1:
		return usage("give one of --generate, --rotate and --drop-previous")
	case ways == 1 && name != secrets.WebhookToken:
		return usage("--generate, --rotate and --drop-previous are for %s; others make the value of %s", secrets.WebhookToken, name)
	}
	return nil
}

// changeToken generates a new token, or ends a rotation.
func changeToken(ctx context.Context, out io.Writer, t *home.Home, change tokenChange) (err error) {
	const name = secrets.WebhookToken
	var said string
	switch {
	case change.generate:
		_, err = t.GenerateToken(ctx)
		said = fmt.Sprintf("Stored a new %s. Next: %s\n", name, t.Command("webhook register"))
	case change.rotate:
		err = t.RotateToken(ctx)
		said = fmt.Sprintf("Stored a new %s; the previous one is still accepted.\nNext: %s\nThen: %s\n", name,
			t.Command("webhook register"), t.Command("secrets put webhook-token --drop-previous"))
	default:
		var dropped bool
		if dropped, err = t.DropPreviousToken(ctx); err == nil && !dropped {
			fmt.Fprintf(out, "There is no previous %s.\n", name)
			return nil
		}
		said = fmt.Sprintf("Only the newest %s is accepted now; a running bridge notices within 5 minutes.\n", name)
	}
	switch {
	case errors.Is(err, home.ErrNoToken):
		return noToken(t)
	case errors.Is(err, home.ErrTokenExists):
		return fmt.Errorf("%w; to replace it: %s", err, t.Command("secrets put webhook-token --rotate"))
	case errors.Is(err, home.ErrTokenRotating):
		return fmt.Errorf("%w; first: %s; then: %s", err,
			t.Command("webhook register"), t.Command("secrets put webhook-token --drop-previous"))
	case err != nil:
		return err
	}
	fmt.Fprint(out, said)
	warnOverridden(out, t, name)
	return nil
}

func warnOverridden(out io.Writer, t *home.Home, name string) {
	if given, err := t.Override(name); err == nil && given.Value != "" {
		fmt.Fprintf(out, "Note that %s is set here: a bridge that has it uses it instead.\n", given.Variable+given.Credential)
	}
}

// readSecret asks on a terminal, otherwise it reads standard input to its end.
func readSecret(ctx context.Context, std streams, name string) (string, error) {
	var value []byte
	var err error
	if terminal.Is(std.in) {
		fmt.Fprintf(std.err, "Value of %s (not shown): ", name)
		value, err = readHidden(ctx, int(std.in.(*os.File).Fd()))
		fmt.Fprintln(std.err)
	} else {
		value, err = io.ReadAll(io.LimitReader(std.in, secrets.MaxBytes+1))
	}
	if err != nil {
		return "", fmt.Errorf("read the value of %s: %w", name, err)
	}
	checked, err := secrets.Check(name, string(value))
	if err != nil {
		return "", usageError{err}
	}
	return checked, nil
}

// readHidden reads a line from a terminal without echo. If ctx ends, by Ctrl-C, it restores
// the terminal: otherwise the shell would continue without echo.
func readHidden(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	value, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(terminal, before))
	}
	return value, err
}
