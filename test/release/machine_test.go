//go:build release && linux

package release

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// machine is a root folder with a shell, the usual small programs and dpkg, copied from
// this machine, and nothing else: no Go, no certificates, and no network except loopback.
type machine struct {
	root string
}

// programs are those of a small Debian. dpkg needs some of them.
var programs = strings.Fields(`bash sh cat chmod cp cut dirname env grep gzip head id install ln ls mkdir mv
	readlink rm rmdir sed sha256sum sleep sort wc tail tar touch tr true uname curl script
	diff dpkg dpkg-deb dpkg-split dpkg-query ldconfig start-stop-daemon`)

// Replacements in the root: sudo, and a systemctl that starts the service according to its
// unit, with the folder that StateDirectory= and DynamicUser= make, and that records how it
// was called.
const (
	sudo      = "#!/bin/sh\nexec \"$@\"\n"
	systemctl = `#!/bin/bash
echo "$*" >>/var/log/systemctl
case "$*" in
"enable --now fairbridge.socket fairbridge.service")
	mkdir -p /var/lib/private/fairbridge
	ln -sfn private/fairbridge /var/lib/fairbridge
	$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/fairbridge.service) >>/var/log/fairbridge 2>&1 &
	;;
esac
`
)

// newMachine makes a machine with the release's files in /release.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{root: t.TempDir()}
	for _, folder := range []string{"bin", "dev", "etc", "lib64", "proc", "root", "run/systemd/system", "tmp", "usr/bin", "usr/sbin",
		"var/log", "var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(m.path(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range programs {
		m.copyProgram(t, program)
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/group": "root:x:0:\ntty:x:5:\n",
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "usr/bin/sudo": sudo, "usr/bin/systemctl": systemctl,
	} {
		if err := os.WriteFile(m.path(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(m.path("release"), os.DirFS(files)); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// copyProgram copies a program and the libraries that it is linked with.
func (m *machine) copyProgram(t *testing.T, program string) {
	t.Helper()
	from, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	m.copy(t, from, filepath.Join("usr/bin", program))
	if program == "bash" || program == "sh" {
		m.copy(t, from, filepath.Join("bin", program))
	}
	libraries, err := exec.Command("ldd", from).Output()
	if err != nil {
		return // it is a script, or statically linked
	}
	for word := range strings.FieldsSeq(string(libraries)) {
		if strings.HasPrefix(word, "/") {
			m.copy(t, word, word)
		}
	}
}

func (m *machine) copy(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(m.path(to)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.path(to), text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// helpers are functions for the scripts below. They wait for slow things.
const helpers = `set -euo pipefail
export HOME=/root PATH=/usr/bin:/usr/sbin
cd
command -v go && { echo "there is Go" >&2; exit 1; }
fail() { echo "$*" >&2; exit 1; }
# eventually COMMAND... waits until a command ends well.
eventually() {
	for n in {1..300}; do
		if "$@" >/tmp/eventually 2>&1; then return; fi
		sleep 0.1
	done
	cat /tmp/eventually /var/log/fairbridge /tmp/run.log >&2 || true
	fail "in vain: $*"
}
accepts() { curl -fsS http://127.0.0.1:8080/readyz; }
gone() { ! accepts; }
# tickets N: the simulator has so many.
tickets() { [ "$(curl -fsS http://127.0.0.1:8081/simulator/tickets | grep -o '"createdAt":' | wc -l)" = "$1" ]; }
`

// run runs a script in the root, as root, in namespaces of its own: everything that it
// starts ends with it, and its ports are its own.
func (m *machine) run(t *testing.T, script string) string {
	t.Helper()
	if err := os.WriteFile(m.path("script"), []byte(helpers+script), 0o755); err != nil {
		t.Fatal(err)
	}
	const enter = `ip link set lo up; mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc"; exec chroot "$0" /bin/bash /script`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-euc", enter, m.root)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=dumb"}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return string(said)
}

// here returns the name of the release's file for this machine.
func here(format string) string { return fmt.Sprintf(format, runtime.GOARCH) }
