// The command fairbridge runs the bridge on one machine, and operates one that runs on AWS.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it is ignored
		ends = append(ends, syscall.SIGHUP)
	}
	// A second Ctrl-C ends the process at once: stop restores the default.
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop)
	// A write to a closed pipe is an error like any other: SIGPIPE would end the process
	// while it holds dead letters, which would stay hidden for minutes.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(execute(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
