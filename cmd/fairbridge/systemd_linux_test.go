package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fairbridge/pkg/home"
)

// manager plays systemd for a service of Type=notify with a socket unit: it holds the
// socket, passes it as descriptor 3, and receives the service's notifications.
// https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
type manager struct {
	t       *testing.T
	socket  *os.File
	notify  *net.UnixConn
	address string
	// arguments and env are the service's.
	arguments, env []string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{t: t, address: l.Addr().String()}
	if m.socket, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	l.Close() // the file has its own descriptor
	// Not in t.TempDir(): the path of a socket is limited to 107 bytes.
	folder, err := os.MkdirTemp("/tmp", "fairbridge")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "notify")
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	m.env = append(os.Environ(), asCommand+"=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=webhooks", "NOTIFY_SOCKET="+path)
	t.Cleanup(func() {
		m.socket.Close()
		m.notify.Close()
		os.RemoveAll(folder)
	})
	return m
}

// start starts the service and waits until it reports that it is ready.
func (m *manager) start() *exec.Cmd {
	m.t.Helper()
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	// LISTEN_PID is the process's own id, so a shell sets it before exec.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, self}, m.arguments...)...)
	cmd.Env, cmd.ExtraFiles = m.env, []*os.File{m.socket}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if m.t.Failed() {
			m.t.Log(output.String())
		}
	})
	m.hear("READY=1")
	return cmd
}

// hear waits for the service's next notification.
func (m *manager) hear(want string) {
	m.t.Helper()
	if err := m.notify.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := m.notify.Read(b)
	if err != nil || string(b[:n]) != want {
		m.t.Fatalf("the service reported %q (%v), want %q", b[:n], err, want)
	}
}

// stop does what `systemctl stop` does.
func (m *manager) stop(cmd *exec.Cmd) {
	m.t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	m.hear("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		m.t.Errorf("the service exited: %v", err)
	}
}

// TestRestartRefusesNoWebhook restarts a service with a socket unit under load. TestFairy
// sends once, so each webhook must get a 202 at the first try, each over a new connection,
// as from many senders. The key is a systemd credential.
func TestRestartRefusesNoWebhook(t *testing.T) {
	f, data, credentials := newFarEnd(t, ""), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "fairbridge.centercode-api-key"), []byte(centercodeKey+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	m.env = append(m.env, "CREDENTIALS_DIRECTORY="+credentials)
	m.arguments = []string{"run", "--config", f.config, "--data", data, "--log-format", "json", "--console", "off"}
	service := m.start()
	s := openState(t, data)
	tokens, err := home.Folder(s.home).Tokens(t.Context())
	if err != nil || len(tokens) == 0 {
		t.Fatal(tokens, err)
	}
	webhook := home.LocalWebhook(m.address, tokens[0])

	ctx, enough := context.WithCancel(t.Context())
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
			for ctx.Err() == nil {
				if err := post(client, webhook, payload(int(sent.Add(1)))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		before := sent.Load()
		m.stop(service)
		service = m.start()
		deadline := time.After(time.Minute)
		for tick := time.NewTicker(time.Millisecond); sent.Load() < before+20 && !t.Failed(); {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("no webhook gets through after a restart")
			}
		}
	}
	enough()
	senders.Wait()
	s.settled()
	if tickets := f.ticketsOf(t); len(tickets) != int(sent.Load()) {
		t.Errorf("%d webhooks accepted, but %d tickets", sent.Load(), len(tickets))
	}
	m.stop(service)
	t.Logf("%d webhooks over three restarts", sent.Load())
}

func post(client *http.Client, webhook, payload string) error {
	resp, err := client.Post(webhook, "application/json", strings.NewReader(payload))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = errors.New(string(answer))
	}
	if err != nil {
		return fmt.Errorf("HTTP %d: %w", resp.StatusCode, err)
	}
	return nil
}
