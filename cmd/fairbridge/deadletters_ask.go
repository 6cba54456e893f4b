package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"fairbridge/pkg/terminal"
)

// ask asks a yes-or-no question. Without a terminal it returns an error that asks for
// --yes.
func (d *operator) ask(ctx context.Context, question string) (bool, error) {
	if !terminal.Is(d.std.in) {
		return false, usage("there is no terminal to ask for confirmation: check with --dry-run or 'dlq list', then add --yes")
	}
	return askOn(ctx, d.std.in, d.std.err, question)
}

// askOn asks on a terminal. Only y and yes mean yes.
func askOn(ctx context.Context, in io.Reader, out io.Writer, question string) (bool, error) {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // if nobody answers, it ends with the process
		line, _ := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		return a == "y" || a == "yes", nil
	case <-ctx.Done():
		fmt.Fprintln(out)
		return false, ctx.Err()
	}
}
