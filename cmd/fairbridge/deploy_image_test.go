//go:build deploy && linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/home"
)

// image is what a container engine reads of Docker's image configuration.
// https://github.com/moby/docker-image-spec/blob/main/spec.md
type image struct {
	User         string
	ExposedPorts map[string]any
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      map[string]any
	WorkingDir   string
	StopSignal   string
	Healthcheck  struct{ Test []string }
}

// mostBytes limits the size of the command: a single interface that holds a client of the
// AWS SDK can add several MB.
const mostBytes = 35e6

// container is an unpacked image, with the mounts that an engine adds.
type container struct {
	image
	t             *testing.T
	root          string
	data, secrets string // the volume, and the contents of /run/secrets
}

// mounts makes the root read-only, mounts the volume, the configuration and the secrets
// into it, and runs the command as the image's user. The mounts end with the process.
const mounts = `set -eu
root=$1 data=$2 config=$3 secrets=$4 folder=$5 user=$6
shift 6
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount --bind "$data" "$root$folder/.fairbridge"
mount --bind "$config" "$root$folder/fairbridge.yaml"
mount --bind "$secrets" "$root/run/secrets"
exec unshare --root="$root" --wd="$folder" --setgid="$user" --setuid="$user" "$@"`

// command returns a command in the container, without this process's environment.
func (c *container) command(config string, words ...string) *exec.Cmd {
	user, _, _ := strings.Cut(c.User, ":")
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", mounts, "mounts",
		c.root, c.data, config, c.secrets, c.WorkingDir, user}, words...)...)
	cmd.Env = c.Env
	return cmd
}

// buildImage builds the image of deploy/Containerfile from the context prepared by `make
// image-context`, and unpacks it.
func buildImage(t *testing.T) *container {
	t.Helper()
	storage := t.TempDir()
	buildah := func(words ...string) string {
		t.Helper()
		return strings.TrimSpace(check(t, nil, "buildah", append([]string{"--storage-driver", "vfs", "--root", storage + "/root", "--runroot", storage + "/run"}, words...)...))
	}
	buildah("build", "--quiet", "--isolation", "chroot", "--format", "docker", "--tag", "localhost/fairbridge", "--file", "../../deploy/Containerfile", "../../.build/image")
	var inspected struct{ Docker struct{ Config image } }
	if err := json.Unmarshal([]byte(buildah("inspect", "--type", "image", "localhost/fairbridge")), &inspected); err != nil {
		t.Fatal(err)
	}
	c := &container{image: inspected.Docker.Config, t: t, data: t.TempDir(), secrets: t.TempDir()}
	name := buildah("from", "--quiet", "localhost/fairbridge")
	c.root = buildah("mount", name)
	t.Cleanup(func() { buildah("umount", name) })
	return c
}

// TestDeployImage builds the container image and runs it with a read-only root as its user:
// a webhook becomes a ticket, the health check passes exactly while the bridge runs, and
// its data is in the volume after a restart.
func TestDeployImage(t *testing.T) {
	c, f := buildImage(t), newFarEnd(t, "")
	binary, err := os.Stat(filepath.Join(c.root, c.Entrypoint[0]))
	if err != nil {
		t.Fatal(err)
	}
	if binary.Size() > mostBytes {
		t.Errorf("the command has %d bytes: see docs/performance.md for what it contains", binary.Size())
	}
	t.Run("compose.yaml", func(t *testing.T) { checkCompose(t, c) })
	if c.User != "65532:65532" || c.StopSignal != "SIGTERM" || len(c.ExposedPorts) != 1 {
		t.Errorf("got %+v", c.image)
	}
	// An engine creates mount points, and a new volume starts as the image's folder.
	write(t, filepath.Join(c.root, c.WorkingDir), "fairbridge.yaml", "")
	if err := os.MkdirAll(filepath.Join(c.root, "run/secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, filepath.Join(c.root, c.WorkingDir, ".fairbridge"), c.data)
	if err := os.Chmod(c.secrets, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, c.secrets, "fairbridge.centercode-api-key", centercodeKey+"\n")
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, t.TempDir(), "fairbridge.yaml", string(text))

	// The network is the host's, so the port must be a free one.
	run := slices.Clone(append(c.Entrypoint, c.Cmd...))
	listen := slices.Index(run, "--listen") + 1
	if _, exposed := c.ExposedPorts[strings.TrimPrefix(run[listen], "0.0.0.0:")+"/tcp"]; !exposed {
		t.Errorf("%q does not listen on %v", run, c.ExposedPorts)
	}
	run[listen] = "127.0.0.1:0"
	run = append(run, "--show-token")
	healthy := func() bool {
		t.Helper()
		if len(c.Healthcheck.Test) < 2 || c.Healthcheck.Test[0] != "CMD" {
			t.Fatalf("the health check is %q", c.Healthcheck.Test)
		}
		output, err := c.command(config, c.Healthcheck.Test[1:]...).CombinedOutput()
		t.Logf("health check: %v, %s", err, output)
		return err == nil
	}
	if healthy() {
		t.Error("healthy before the bridge runs")
	}
	for n := range 2 {
		p, err := follow(t, c.command(config, run...))
		if err != nil {
			t.Fatalf("%v:\n%s", err, p.out)
		}
		if !healthy() {
			t.Errorf("not healthy:\n%s", p.out)
		}
		if _, ok := deliver(t.Context(), p.webhook, payload(n)); !ok {
			t.Fatalf("a webhook was not accepted:\n%s", p.out)
		}
		p.until("the ticket", func() bool { return len(f.center.Tickets()) == n+1 })
		if code := p.interrupt(); code != exitDone {
			t.Errorf("exit code %d:\n%s", code, p.out)
		}
		if healthy() {
			t.Error("healthy after the bridge has exited")
		}
	}
	for id, tickets := range f.ticketsOf(t) {
		if tickets != 1 {
			t.Errorf("delivery %s has %d tickets", id, tickets)
		}
	}
	// The second run had the first one's token, and has its delivery.
	output, err := c.command(config, "/usr/bin/fairbridge", "find", "feedback", "--json").CombinedOutput()
	if err != nil || strings.Count(string(output), `"deliveryId"`) != 2 {
		t.Errorf("%v: %s", err, output)
	}
	openState(t, c.data).settled()
}

// own gives a folder the same owner as another one.
func own(t *testing.T, of, folder string) {
	t.Helper()
	check(t, nil, "chown", "--reference="+of, folder)
	check(t, nil, "chmod", "--reference="+of, folder)
}

// checkCompose compares compose.yaml, as read by the reference implementation of Compose,
// with the image and the Caddyfile.
func checkCompose(t *testing.T, c *container) {
	type mount struct {
		Type, Source, Target string
		ReadOnly             bool `json:"read_only"`
	}
	type service struct {
		Image       string
		ReadOnly    bool     `json:"read_only"`
		CapDrop     []string `json:"cap_drop"`
		Ports       []any
		Volumes     []mount
		Secrets     []struct{ Source, Target string }
		DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
		Environment map[string]string
	}
	var compose struct {
		Services struct{ Fairbridge, Caddy service }
	}
	text, err := os.ReadFile("../../.build/compose.json")
	if err == nil {
		err = json.Unmarshal(text, &compose)
	}
	if err != nil {
		t.Fatal(err)
	}
	bridge, caddy := compose.Services.Fairbridge, compose.Services.Caddy
	if !strings.HasPrefix(bridge.Image, "localhost/fairbridge:") || !bridge.ReadOnly || !slices.Equal(bridge.CapDrop, []string{"ALL"}) || len(bridge.Ports) > 0 {
		t.Errorf("the bridge is %+v", bridge)
	}
	mounted := func(of service, kind, target string) mount {
		t.Helper()
		i := slices.IndexFunc(of.Volumes, func(m mount) bool { return m.Type == kind && m.Target == target })
		if i < 0 {
			t.Fatalf("no %s at %s: %+v", kind, target, of.Volumes)
		}
		return of.Volumes[i]
	}
	for volume := range c.Volumes {
		if volume != filepath.Join(c.WorkingDir, home.DefaultFolder) {
			t.Errorf("the volume is %s, but the command uses another folder", volume)
		}
		mounted(bridge, "volume", volume)
	}
	if m := mounted(bridge, "bind", filepath.Join(c.WorkingDir, defaultConfig)); !m.ReadOnly {
		t.Errorf("the configuration is writable: %+v", m)
	}
	if !slices.Contains(c.Env, "CREDENTIALS_DIRECTORY=/run/secrets") || len(bridge.Secrets) != 1 || bridge.Secrets[0].Target != "fairbridge.centercode-api-key" {
		t.Errorf("the secrets are %+v, the environment %q", bridge.Secrets, c.Env)
	}
	if m := mounted(caddy, "bind", "/etc/caddy/Caddyfile"); !m.ReadOnly || !strings.HasSuffix(m.Source, "/deploy/caddy/Caddyfile") {
		t.Errorf("Caddy's configuration is %+v", m)
	}
	caddyfile := sample(t, "caddy/Caddyfile")
	for variable := range caddy.Environment {
		if !strings.Contains(caddyfile, "{$"+variable+":") {
			t.Errorf("the Caddyfile lacks %s", variable)
		}
	}
	_, port, _ := strings.Cut(caddy.Environment["FAIRBRIDGE_UPSTREAM"], ":")
	if _, exposed := c.ExposedPorts[port+"/tcp"]; !exposed || caddy.DependsOn["fairbridge"].Condition != "service_healthy" || len(c.Healthcheck.Test) == 0 {
		t.Errorf("Caddy connects to %s once %+v; the image has %+v", port, caddy.DependsOn, c.image)
	}
	if len(caddy.Ports) == 0 {
		t.Error("Caddy is not reachable")
	}
}
