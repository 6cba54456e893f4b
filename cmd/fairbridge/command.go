package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes, which scripts may rely on.
const (
	exitDone  = 0 // all done
	exitLeft  = 1 // something failed or was left
	exitUsage = 2 // the command was called incorrectly
	// exitPipe is the code of a process that SIGPIPE ended, as shells report it: nobody
	// reads the output any more.
	exitPipe = 128 + 13
)

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is an incorrect call, as opposed to one that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// errSaid ends a command with exitLeft after its output has explained why.
var errSaid = errors.New("something was left")

func execute(ctx context.Context, args []string, std streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	cmd, err := root.ExecuteContextC(ctx)
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, syscall.EPIPE):
		return exitPipe // held letters have been released, and nobody reads messages
	case errors.Is(err, errSaid):
		return exitLeft
	case errors.As(err, &wrong):
		fmt.Fprintf(std.err, "fairbridge: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
		return exitUsage
	}
	if err == context.Canceled {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(std.err, "fairbridge: %v\n", err)
	return exitLeft
}

func newRoot(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "fairbridge",
		Short: "TestFairy feedback in, Centercode tickets out",
		Long: `FairBridge turns TestFairy's webhooks into Centercode tickets, each exactly
once and with its attachments. What Centercode refuses becomes a dead letter,
which has a reason and can be replayed.`,
		Example: `  fairbridge run                                    the whole bridge on this machine
  fairbridge demo                                   send every sample payload through a bridge
  fairbridge check --payload events/feedback.json   the request that Centercode would receive
  fairbridge find tester@example.com                what became of a tester's feedback
  fairbridge dlq list                               what needs a person, and why
  fairbridge console                                the same in a browser`,
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	for _, part := range []struct {
		title string
		verbs []*cobra.Command
	}{
		{"Set up:", []*cobra.Command{newInit(std), newCheck(std), newSecrets(std), newWebhook(std)}},
		{"Run:", []*cobra.Command{newRun(std), newDemo(std), newSend(std), newBackup(std), newRestore(std), newUndeploy(std)}},
		{"See what happened:", []*cobra.Command{newStatus(std), newFind(std), newShow(std), newStats(std), newConsole(std)}},
		{"Intervene:", []*cobra.Command{newDeadLetters(std), newPause(std), newResume(std), newReconcile(std), newForget(std)}},
	} {
		root.AddGroup(&cobra.Group{ID: part.title, Title: part.title})
		for _, verb := range part.verbs {
			verb.GroupID = part.title
		}
		root.AddCommand(part.verbs...)
	}
	return group(root, newVersion(std))
}

// group makes a command one that only has others.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = noCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(children...)
	return cmd
}

// noCommand refuses an unknown command, and suggests the nearest one.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("there is no command %q; did you mean %q?", args[0], near[0])
	}
	return usage("there is no command %q", args[0])
}

// flagError rewords errors about flag values.
func flagError(err error) error {
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	must := map[string]string{
		"int": "a whole number", "bool": "true or false", "duration": "a duration such as 90s, 30m or 2h",
	}[wrong.GetFlag().Value.Type()]
	if must == "" {
		return fmt.Errorf("--%s: %q: %w", wrong.GetFlag().Name, wrong.GetValue(), wrong.Unwrap())
	}
	return fmt.Errorf("--%s must be %s, not %q", wrong.GetFlag().Name, must, wrong.GetValue())
}

// exactly is cobra.ExactArgs with a message that says what is missing. The hint below it
// names the command.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usage("give %s", names[len(args)])
		}
		if len(args) > len(names) {
			return usage("unexpected %q", args[len(names)])
		}
		return nil
	}
}
