//go:build release && linux

package release

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestReadme types the README's commands on a machine without Go, from the installation to
// a ticket. Two things differ: the release's files come from a folder, for this machine's
// processor, and a stand-in replaces sudo.
func TestReadme(t *testing.T) {
	var script strings.Builder
	add := func(lines ...string) { script.WriteString(strings.Join(lines, "\n") + "\n") }
	for _, heading := range []string{"## Install", "## Try it", "## Your own Centercode"} {
		for _, block := range blocks(t, heading) {
			block = strings.ReplaceAll(block, "amd64", runtime.GOARCH)
			switch {
			case strings.HasPrefix(block, "RELEASE="):
				add("RELEASE=file:///release")
			case strings.Contains(block, "dpkg"):
				add("("+block, "fairbridge --version )")
			case strings.Contains(block, "docker build"): // TestContainer
			case strings.Contains(block, "cd fairbridge-aws"):
				add("("+block, "[ -x functions/worker/bootstrap ] )")
			case strings.Contains(block, "cd fairbridge"):
				add(block, "(cd /release && sha256sum --check --ignore-missing --quiet checksums.txt)")
			case strings.HasPrefix(block, "./fairbridge run"):
				add(tryIt...)
				script.WriteString(strings.ReplaceAll(typed, "COMMAND", strings.TrimSpace(block)))
			case strings.HasPrefix(block, "./fairbridge secrets put"):
				add("echo a-key-of-the-test | " + block)
			case strings.HasPrefix(block, "./fairbridge "):
				add(block)
			default:
				t.Fatalf("%s: nobody has tried\n%s", heading, block)
			}
		}
	}
	said := newMachine(t).run(t, script.String())
	for _, want := range []string{"fairbridge 0.", "feedback-unicode.json", "POST /api/v1/projects/"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing was said of %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "commit unknown") {
		t.Errorf("the command does not know its commit:\n%s", said)
	}
}

// tryIt is what the reader of "Try it" does besides typing: copy the curl line from the
// terminal, and end the process.
var tryIt = []string{
	`read_curl() { line=$(sed -n 's/^Try it: //p' /tmp/run.log | tr -d '\r'); [ "${line#curl }" != "$line" ]; }`,
	`kill_it() { for p in /proc/[0-9]*; do case "$(readlink $p/exe)" in */fairbridge) kill -9 "${p#/proc/}" ;; esac; done; }`,
}

const typed = `
script -qefc 'COMMAND' /tmp/run.log >/dev/null &
eventually accepts
eventually read_curl
eval "$line"
eventually tickets 1
eval "$line"
kill_it
eventually gone
script -qefc 'COMMAND' /tmp/run.log >/dev/null &
eventually accepts
eval "${line/feedback.json/feedback-unicode.json}"
eventually tickets 2
`

// blocks returns the code blocks of a section of the README.
func blocks(t *testing.T, heading string) []string {
	t.Helper()
	_, text, found := strings.Cut(string(load(t, filepath.Join(repository, "README.md"))), "\n"+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var list []string
	inside := false
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "```"):
			if inside = line == "```sh"; inside {
				list = append(list, "")
			}
		case inside:
			list[len(list)-1] += line + "\n"
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has nothing to type", heading)
	}
	return list
}
