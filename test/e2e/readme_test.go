//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/stack"
)

// TestReadme follows the README's section on AWS word for word, in a copy of the
// repository, and answers the questions as it describes.
func TestReadme(t *testing.T) {
	const name = "fairbridge" // samconfig.toml's default stack
	reader := bridge.newReader(t)
	sent := deliveryID(t, bridge.payload(t, "feedback-no-screenshot.json"))
	before := len(bridge.tickets(sent)) // of the other stack
	var deployed stack.Stack
	var left string // the ledger's table when the stack is deployed again
	var err error
	commands := section(t, "## Deploy to AWS")
	for _, command := range commands {
		if command == "sam deploy --guided" && deployed.Name != "" {
			// On AWS a new stack's table has another name; the emulator would give it the
			// old one.
			left = bridge.renameTable(t, deployed.LedgerTable)
			reader.answer("Parameter LedgerTableName", left)
		}
		reader.run(t, command)
		switch {
		case strings.HasPrefix(command, "fairbridge undeploy"):
			if _, err := stack.Describe(t.Context(), bridge.cloudformation, name); err == nil {
				t.Error("the stack is still there")
			}
			if !strings.Contains(reader.said.String(), "LedgerTableName="+deployed.LedgerTable+"\n") {
				t.Errorf("the ledger's table is not named:\n%s", reader.said)
			}
		case command == "sam deploy --guided":
			if deployed, _, err = bridge.repairStack(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(command, "fairbridge send"):
			eventually(t, "there is a ticket", func() bool { return len(bridge.tickets(sent)) == before+1 })
		case strings.HasPrefix(command, "fairbridge status") && !strings.Contains(reader.said.String(), "Nothing needs a person."):
			t.Errorf("%s printed\n%s", command, reader.said)
		}
	}
	if left == "" || deployed.LedgerTable != left {
		t.Fatalf("the stack that came back has the ledger %q, want %q", deployed.LedgerTable, left)
	}
	// What the first stack has made is not made again by the second.
	reader.run(t, "fairbridge send events/feedback-no-screenshot.json --stack "+name)
	eventually(t, "the work queue is empty", func() bool { return bridge.depth(t, deployed.WorkQueueURL) == 0 })
	if n := len(bridge.tickets(sent)) - before; n != 1 {
		t.Errorf("%d tickets after %q", n, commands)
	}
	reader.run(t, "make undeploy ARGS='--yes --keep-webhook --settle 1s'")
}

// section returns the commands of a section of the README.
func section(t *testing.T, heading string) (commands []string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(bridge.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "\n"+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	inside := false
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside:
			commands = append(commands, line)
		}
	}
	return commands
}

// reader is a person who follows the README.
type reader struct {
	dir     string // a copy of the repository
	env     []string
	answers []struct{ question, answer string }
	said    *bytes.Buffer // the output of the last command
}

func (w *world) newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{dir: filepath.Join(w.dir, "readme")}
	w.copyRepository(t, r.dir)
	bin := filepath.Join(r.dir, ".build", "bin")
	r.env = slices.Concat(w.env, w.commandEnvironment(), w.buildEnvironment(), []string{
		"GOBIN=" + bin,
		"PATH=" + strings.Join([]string{bin, filepath.Dir(w.tool("sam", "sam")), os.Getenv("PATH")}, string(os.PathListSeparator)),
	})
	r.answers = []struct{ question, answer string }{
		{"Parameter CentercodeBaseUrl", w.centercode.URL},
		{"IngestFunction has no authentication. Is this okay?", "y"},
		{"Deploy this changeset?", "y"},
		{"Are you sure you want to delete", "y"},
		// The remaining questions are answered with Enter.
		{"", ""},
	}
	return r
}

// copyRepository copies what a clone of the repository would have, including changes that
// are not committed.
func (w *world) copyRepository(t *testing.T, to string) {
	t.Helper()
	list, err := w.run(t.Context(), "", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(w.root, name))
		if os.IsNotExist(err) {
			continue // deleted, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// answer sets the answer to a question.
func (r *reader) answer(question, answer string) {
	r.answers = slices.Insert(r.answers, 0, struct{ question, answer string }{question, answer})
}

// run runs a command, which must succeed, and answers its questions.
func (r *reader) run(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience) // a build is among them
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.WaitDelay = r.dir, r.env, waitDelay
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.said = &bytes.Buffer{}
	if _, name, found := strings.Cut(command, "fairbridge secrets put "); found && !strings.Contains(command, "--generate") {
		// Without a terminal nothing is asked.
		name, _, _ = strings.Cut(name, " ")
		fmt.Fprintln(in, bridge.parameter(t, name))
		_ = in.Close() // it reads to the end
	}
	cmd.Stdout = &listener{said: r.said, in: in, answers: r.answers}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, r.said)
	}
	bridge.checkNoSecret(t, "the output of "+command, r.said.String())
}

// listener reads a command's output, and answers each question, which ends with its default
// in brackets.
type listener struct {
	said    *bytes.Buffer
	in      io.Writer
	answers []struct{ question, answer string }
}

func (l *listener) Write(text []byte) (int, error) {
	l.said.Write(text)
	said := l.said.String()
	if !strings.HasSuffix(said, "]: ") {
		return len(text), nil
	}
	asked := said[strings.LastIndexAny(said[:len(said)-1], "\n\t")+1:]
	for _, a := range l.answers {
		if strings.Contains(asked, a.question) {
			// A command that does not wait for the answer has ended.
			_, _ = fmt.Fprintln(l.in, a.answer)
			break
		}
	}
	return len(text), nil
}
