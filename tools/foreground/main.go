//go:build unix

// Command foreground runs a command as the terminal's foreground process
// group, so that Ctrl-C under `make run` reaches that command alone, once.
// make dies of a SIGINT of its own even when the command it runs ends well,
// and a clean stop would show as exit code 130.
//
// Without a terminal, or in the background, it becomes the command (exec).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: foreground COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "foreground: %v\n", err)
	}
	os.Exit(code)
}

// run runs the command to its end and returns its exit code, with an error if
// it could not be run at all.
func run(command []string) (int, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return 127, err
	}
	terminal := int(os.Stdin.Fd())
	group, err := unix.IoctlGetInt(terminal, unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return 126, syscall.Exec(path, command, os.Environ())
	}

	// Ctrl-Z would stop the command with nobody left to notice, since the shell
	// waits for make: it is ignored, here and by inheritance in the command.
	// SIGTTOU would stop this process when it takes the terminal back.
	signal.Ignore(syscall.SIGTSTP, syscall.SIGTTOU)
	received := make(chan os.Signal, 4)
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	cmd := exec.Command(path, command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: terminal}
	if err := cmd.Start(); err != nil {
		return 126, err
	}
	go func() {
		for s := range received {
			// An error means that the command has just ended: nothing to pass on.
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if err := unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, group); err != nil {
		fmt.Fprintf(os.Stderr, "foreground: take the terminal back: %v\n", err)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
