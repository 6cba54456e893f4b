package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"fairbridge/pkg/secrets"
)

// openTerminal opens a pseudo-terminal: what a person types is written to keyboard, and the
// command gets terminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var unlock, number int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if err := ioctl(keyboard, request, unsafe.Pointer(argument)); err != nil {
			t.Skipf("no pseudo-terminals here: %v", err)
		}
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

func ioctl(f *os.File, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	var settings syscall.Termios
	if err := ioctl(terminal, syscall.TCGETS, unsafe.Pointer(&settings)); err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&syscall.ECHO != 0
}

// waitForHiding waits until the terminal no longer echoes.
func waitForHiding(t *testing.T, terminal *os.File) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); echoes(t, terminal); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal still echoes")
		}
	}
}

func TestSecretIsNotEchoed(t *testing.T) {
	c := newCloud(t)
	keyboard, terminal := openTerminal(t)
	var out, errOut bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- execute(t.Context(), []string{"secrets", "put", secrets.CentercodeAPIKey, "--stack", stackName},
			streams{in: terminal, out: &out, err: &errOut})
	}()
	waitForHiding(t, terminal)
	if _, err := io.WriteString(keyboard, "typed-k3y\n"); err != nil {
		t.Fatal(err)
	}
	code := <-done
	want := "Value of centercode-api-key (not shown): \nStored centercode-api-key. A running bridge reads it within 5 minutes, and at once if the old one is rejected.\n"
	ran{code, out.String(), errOut.String()}.want(t, exitDone, "", want)
	if value, _ := c.secret(t, secrets.CentercodeAPIKey); value != "typed-k3y" {
		t.Errorf("stored %q", value)
	}
	if !echoes(t, terminal) {
		t.Error("echo is not restored")
	}
	// Reading from keyboard returns what the terminal has shown.
	terminal.Close()
	shown, _ := io.ReadAll(keyboard) // ends with EIO
	if strings.Contains(string(shown), "k3y") {
		t.Errorf("the terminal showed %q", shown)
	}
}

func TestInterruptRestoresTheTerminal(t *testing.T) {
	newCloud(t)
	_, terminal := openTerminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errOut bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, []string{"secrets", "put", secrets.CentercodeAPIKey, "--stack", stackName},
			streams{in: terminal, out: &out, err: &errOut})
	}()
	waitForHiding(t, terminal)
	interrupt()
	code := <-done
	ran{code, out.String(), errOut.String()}.want(t, exitLeft, "",
		"Value of centercode-api-key (not shown): \nfairbridge: read the value of centercode-api-key: context canceled\n")
	if !echoes(t, terminal) {
		t.Error("echo is not restored")
	}
}
