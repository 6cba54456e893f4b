// The command fairbridge runs the bridge on one machine, and looks after one
// that runs on AWS.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A second Ctrl-C ends the process at once: stop restores the default.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
