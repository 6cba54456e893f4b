package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/version"
)

const defaultConsole = "127.0.0.1:8082"

func newConsole(std streams) *cobra.Command {
	var at place
	var c console.Config
	var listen string
	var open bool
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Operate the bridge in a browser",
		Long: `Serves pages that show the state of the bridge, what became of each feedback, and
the dead letters: try a remedy on one, then apply it to all. It uses your own
permissions: your AWS credentials for a stack, your user for a folder. It prints a
link that admits one browser, once, within ten minutes.

'fairbridge run' serves the same pages itself; --open prints a link to those. An
address that others can reach needs a password ('fairbridge secrets put
console-password'), and should be behind a reverse proxy with HTTPS, whose name is
set with --host.`,
		Example: `  fairbridge console
  fairbridge console --open
  fairbridge console --stack fairbridge-prod --read-only
  fairbridge console --listen 0.0.0.0:8082 --host bridge.example.com`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if open {
				return openConsole(std, &at)
			}
			return serveConsole(cmd.Context(), std, &at, listen, c)
		},
	}
	at.flags(cmd)
	configFlag(cmd, &c.Config, mappingUse)
	cmd.Flags().StringVar(&listen, "listen", defaultConsole, "`address` for browsers; with port 0 a free one is used")
	cmd.Flags().StringSliceVar(&c.Hosts, "host", nil, "a `name` of the console, such as a reverse proxy's (repeatable)")
	cmd.Flags().BoolVar(&c.ReadOnly, "read-only", false, "refuse every change")
	cmd.Flags().BoolVar(&open, "open", false, "show a link to the console that is already running, instead of starting one")
	return cmd
}

// openConsole shows a link to the console that runs in a folder.
func openConsole(std streams, at *place) error {
	if err := at.check(); err != nil {
		return err
	}
	if at.OnAWS() {
		return usage("--open is for a folder; the console of a stack shows its link where it runs")
	}
	link, err := console.LinkTo(at.Folder, time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no console runs in %s; start one: %s", at.Folder, at.Command("console"))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, link)
	return err
}

func serveConsole(ctx context.Context, std streams, at *place, listen string, c console.Config) (err error) {
	if c.Home, err = at.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Home.Close()) }()
	c.Version = version.Number
	c.Log = newLog(std.err, false)
	s, err := console.Listen(ctx, listen, c)
	if err != nil {
		if _, ok := errors.AsType[*net.OpError](err); ok {
			return fmt.Errorf("%w; choose another address with --listen, or --open the console that runs already", err)
		}
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if !terminal.Is(std.out) {
		fmt.Fprintf(std.out, "Console: %s\n", s.URL())
		return s.Serve(ctx)
	}
	fmt.Fprintf(std.out, "Console: %s\nThe link lets one browser in, once. Enter shows another, Ctrl-C ends.\n", s.Link())
	if terminal.Is(std.in) {
		go func() {
			for in := bufio.NewScanner(std.in); in.Scan(); {
				fmt.Fprintln(std.out, s.Link())
			}
		}()
	}
	return s.Serve(ctx)
}

// besideBridge is the console that 'fairbridge run' serves.
type besideBridge struct {
	// address is "off" for none; given means that it was set: a default that another
	// bridge's console has taken must not prevent this bridge from starting.
	address string
	given   bool
}

// serve runs the bridge with the console beside it; bridge receives the console, or nil.
func (r besideBridge) serve(ctx context.Context, c console.Config, folder string, bridge func(context.Context, *console.Console) error) (err error) {
	if r.address == "off" {
		return bridge(ctx, nil)
	}
	if c.Home, err = home.Open(ctx, home.Config{Place: home.Place{Folder: folder}}); ctx.Err() != nil {
		return nil // stopped while starting
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Home.Close()) }()
	c.Version = version.Number
	page, err := console.Listen(ctx, r.address, c)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil
	case err != nil && r.given && errors.Is(err, console.ErrNoPassword):
		return err
	case err != nil && r.given:
		return fmt.Errorf("%w; choose another address with --console, or --console off", err)
	case err != nil:
		c.Log.Warn("there is no console: choose another address with --console", "err", err)
		return bridge(ctx, nil)
	}
	defer func() { err = errors.Join(err, page.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- page.Serve(ctx) }()
	err = bridge(ctx, page)
	stop()
	return errors.Join(err, <-served)
}
