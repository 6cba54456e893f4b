//go:build deploy && linux

package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// These tests check each file in deploy/ with the program it is for, which Debian packages:
// `make deploy-check`.

// sample reads a file of deploy/ and replaces what differs on this machine.
func sample(t *testing.T, name string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("%s lacks %q", name, changes[i])
		}
	}
	return strings.NewReplacer(changes...).Replace(string(text))
}

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// check runs a program, which must succeed.
func check(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
	return string(output)
}

// TestDeployUnit checks that systemd accepts both units, and rates the service's exposure
// below 2 of 10.
func TestDeployUnit(t *testing.T) {
	folder := t.TempDir()
	service := write(t, folder, "fairbridge.service", sample(t, "systemd/fairbridge.service", "/usr/bin/fairbridge", "/bin/true"))
	socket := write(t, folder, "fairbridge.socket", sample(t, "systemd/fairbridge.socket"))
	check(t, nil, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", service, socket)
	check(t, nil, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=19", service)
}

// freeAddress returns a free address on loopback. nginx and Caddy do not support port 0.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// certificate writes a certificate for loopback, as `fullchain.pem` and `privkey.pem`, and
// returns a client that trusts it.
func certificate(t *testing.T, folder string) *http.Client {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, "fullchain.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, folder, "privkey.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return s.Client()
}

// front starts a proxy and waits until it listens.
func front(t *testing.T, address string, env []string, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		output, err := os.ReadFile(log.Name())
		if err != nil || strings.Contains(string(output), "token=") && !strings.Contains(string(output), "token=REDACTED") {
			t.Errorf("the output contains a token (%v):\n%s", err, output)
		}
		if t.Failed() {
			t.Logf("%s\n%s", program, output)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", program, err)
		}
	}
}

// behind sends webhooks through a proxy while the bridge behind it is restarted and, with
// killed, also killed in the middle. Each webhook is answered with 202 and becomes a
// ticket.
func behind(t *testing.T, m *manager, f *farEnd, client *http.Client, base string, killed bool) (token string) {
	t.Helper()
	data := t.TempDir()
	m.env = append(m.env, "FAIRBRIDGE_CENTERCODE_API_KEY="+centercodeKey)
	m.arguments = []string{"run", "--config", f.config, "--data", data, "--console", "off"}
	service := m.start()
	s := openState(t, data)
	tokens, err := home.Folder(s.home).Tokens(t.Context())
	if err != nil || len(tokens) == 0 {
		t.Fatal(tokens, err)
	}
	webhook := base + "/webhooks/testfairy?token=" + tokens[0]
	var sent atomic.Int64
	var senders sync.WaitGroup
	enough := make(chan struct{})
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				if err := post(client, webhook, payload(int(sent.Add(1)))); err != nil {
					t.Error(strings.ReplaceAll(err.Error(), tokens[0], "TOKEN"))
					return
				}
			}
		})
	}
	for n := range 4 {
		before := sent.Load()
		if killed && n%2 == 1 {
			_ = service.Process.Kill()
			_ = service.Wait()
		} else {
			m.stop(service)
		}
		service = m.start()
		for deadline := time.Now().Add(time.Minute); sent.Load() < before+20 && !t.Failed(); {
			if time.Now().After(deadline) {
				t.Fatal("no webhook gets through after a restart")
			}
			time.Sleep(time.Millisecond)
		}
	}
	close(enough)
	senders.Wait()
	for _, path := range []string{"/healthz", "/readyz", "/", "/webhooks/testfairy/x"} {
		resp, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is public: HTTP %d", path, resp.StatusCode)
		}
	}
	if err := post(client, base+"/webhooks/testfairy?token=wr0ng", payload(1)); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a wrong token: %v", err)
	}
	m.stop(service)
	t.Logf("%d webhooks over four restarts", sent.Load())
	return tokens[0]
}

// TestDeployNginx checks that the sample works with nginx, loses no webhook when the bridge
// is restarted or killed, and logs no token.
func TestDeployNginx(t *testing.T) {
	m, f, folder, address := newManager(t), newFarEnd(t, ""), t.TempDir(), freeAddress(t)
	client := certificate(t, folder)
	site := write(t, folder, "fairbridge.conf", sample(t, "nginx/fairbridge.conf", "listen 443 ssl", "listen "+address+" ssl",
		"127.0.0.1:8080", m.address, "/etc/ssl/fairbridge", folder, "/var/log/nginx", folder))
	main := write(t, folder, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/nginx.pid; error_log %[1]s/error.log info; user root;
events {}
http { client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; include %[2]s; }`, folder, site))
	check(t, nil, "nginx", "-t", "-c", main)
	front(t, address, nil, "nginx", "-c", main)
	token := behind(t, m, f, client, "https://"+address, true)
	logs := ""
	for _, name := range []string{"fairbridge.log", "error.log"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		logs += string(text)
	}
	if !strings.Contains(logs, `"POST /webhooks/testfairy" 202`) || strings.Contains(logs, token) || strings.Contains(logs, "wr0ng") {
		t.Errorf("the logs lack a webhook, or contain a token:\n%s", logs)
	}
}

// TestDeployCaddy does the same for Caddy, which does not repeat requests that a bridge
// held when it was killed.
func TestDeployCaddy(t *testing.T) {
	m, f, folder, address := newManager(t), newFarEnd(t, ""), t.TempDir(), freeAddress(t)
	log := filepath.Join(folder, "caddy.log")
	config := write(t, folder, "Caddyfile", sample(t, "caddy/Caddyfile", "log default {", "log default {\n\t\toutput file "+log))
	env := []string{"FAIRBRIDGE_HOST=http://" + address, "FAIRBRIDGE_UPSTREAM=" + m.address, "CADDY_ADMIN=unix/" + folder + "/admin", "HOME=" + folder}
	check(t, env, "caddy", "validate", "--adapter", "caddyfile", "--config", config)
	front(t, address, env, "caddy", "run", "--adapter", "caddyfile", "--config", config)
	token := behind(t, m, f, &http.Client{Timeout: time.Minute}, "http://"+address, false)
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "token=REDACTED") || strings.Contains(string(text), token) || strings.Contains(string(text), "wr0ng") {
		t.Errorf("the log lacks a webhook, or contains a token (%v):\n%s", err, text)
	}
}
