package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// ask asks a person a yes-or-no question. Only y and yes mean yes.
func ask(ctx context.Context, std streams, question string) (bool, error) {
	fmt.Fprintf(std.err, "%s [y/N] ", question)
	answer, err := await(ctx, func() (string, error) {
		line, _ := bufio.NewReader(io.LimitReader(std.in, 1<<10)).ReadString('\n')
		return strings.ToLower(strings.TrimSpace(line)), nil
	})
	if err != nil {
		fmt.Fprintln(std.err)
		return false, ctx.Err()
	}
	return answer == "y" || answer == "yes", nil
}

// await returns what read returns, or an error once ctx ends. A read from a terminal cannot
// be interrupted: it then ends with the process.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), context.Cause(ctx)
	}
}
