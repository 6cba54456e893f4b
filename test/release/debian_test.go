//go:build release && linux

package release

import (
	"os"
	"strings"
	"testing"
)

// TestDebian installs the package, starts the service with its unit, sends a webhook,
// upgrades, removes and purges. Configuration and data stay until the purge.
func TestDebian(t *testing.T) {
	m := newMachine(t)
	m.run(t, here(`
dpkg -i /release/fairbridge_%[1]s.deb
[ "$(cat /var/log/systemctl)" = daemon-reload ] || fail "a first installation: $(cat /var/log/systemctl)"
systemctl enable --now fairbridge.socket fairbridge.service
eventually accepts
fairbridge send /usr/share/doc/fairbridge/events/feedback-no-screenshot.json --data /var/lib/fairbridge
eventually tickets 1
echo '# mine' >>/etc/fairbridge/fairbridge.yaml
: >/var/log/systemctl

dpkg -i /release/fairbridge_%[1]s.deb
[ "$(tr '\n' ' ' </var/log/systemctl)" = "daemon-reload try-restart fairbridge.service " ] || fail "an upgrade: $(cat /var/log/systemctl)"
accepts || fail "the upgrade has stopped the bridge"
: >/var/log/systemctl

dpkg -r fairbridge
[ "$(tr '\n' ' ' </var/log/systemctl)" = "stop fairbridge.socket fairbridge.service daemon-reload " ] || fail "removed: $(cat /var/log/systemctl)"
[ ! -e /usr/bin/fairbridge ] || fail "the command is still there"
tail -n 1 /etc/fairbridge/fairbridge.yaml | grep -q '# mine' || fail "the configuration is not as it was"
`))
	// It was stopped for the upgrade, and starts again with its data.
	m.run(t, here(`
dpkg -i /release/fairbridge_%s.deb
systemctl enable --now fairbridge.socket fairbridge.service
eventually accepts
fairbridge send /usr/share/doc/fairbridge/events/feedback-no-screenshot.json --data /var/lib/fairbridge
[ "$(fairbridge find --since 1h --data /var/lib/fairbridge | grep -c completed)" = 1 ] || fail "the bridge does not know of the feedback"
tickets 1 || fail "the feedback has become a second ticket"
`))
	m.run(t, `
dpkg -P fairbridge
for left in /var/lib/fairbridge /var/lib/private/fairbridge /etc/fairbridge; do
	[ ! -e $left ] && [ ! -L $left ] || fail "$left is still there"
done
`)
	if status, err := os.ReadFile(m.path("var/lib/dpkg/status")); err != nil || strings.TrimSpace(string(status)) != "" {
		t.Errorf("dpkg still knows (%v):\n%s", err, status)
	}
}
