package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"

	"github.com/spf13/cobra"
)

// printed is a command line that a text tells people to type, or only mentions.
type printed struct {
	where, line string
	// mention allows a command's name without arguments.
	mention bool
}

var (
	// A line of a code block, possibly a comment in it.
	codeLine = regexp.MustCompile(`(?m)^[ \t#]*(?:\$ )?(?:go run \./cmd/|\./)?(fairbridge [^\n]+)$`)
	// A code span, which may continue on the next line.
	codeSpan = regexp.MustCompile("`(?:\\./)?(fairbridge\\s[^`]+)`")
	// In a message of the command, or in its help.
	quoted = regexp.MustCompile("'(fairbridge [^'`\n]+)'")
	// An argument of place.command, which completes it.
	placed = regexp.MustCompile(`\.command\("([^"]+)"\)`)
)

// printedIn returns the commands in the files that match pattern.
func printedIn(t *testing.T, pattern string, mention bool, found *regexp.Regexp) (all []printed) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range found.FindAllStringSubmatch(string(text), -1) {
			line := match[1]
			if found == codeSpan {
				line = strings.Join(strings.Fields(line), " ")
			}
			all = append(all, printed{file, line, mention})
		}
	}
	return all
}

// printedByHelp returns the examples of every command.
func printedByHelp(cmd *cobra.Command) (all []printed) {
	for _, match := range codeLine.FindAllStringSubmatch(cmd.Example, -1) {
		all = append(all, printed{"the help of " + cmd.CommandPath(), match[1], false})
	}
	for _, sub := range cmd.Commands() {
		all = append(all, printedByHelp(sub)...)
	}
	return all
}

// TestPrintedCommandsRun checks that the command accepts everything that the docs, the
// template's alarms, the help, the messages and the advice tell people to type.
func TestPrintedCommandsRun(t *testing.T) {
	all := printedByHelp(newRoot(streams{}))
	for _, a := range deadletter.EveryAdvice() {
		for _, s := range a.Steps {
			if s.Command != "" {
				all = append(all, printed{"the advice", "fairbridge " + s.Command, false})
			}
		}
	}
	for _, pattern := range []string{"*.md", "docs/*.md", "*.yaml", "pkg/mapping/starter/*.tmpl"} {
		all = append(all, printedIn(t, pattern, false, codeLine)...)
		all = append(all, printedIn(t, pattern, true, codeSpan)...)
	}
	for _, pattern := range []string{"cmd/fairbridge/*.go", "pkg/*/report/*.go"} {
		all = append(all, printedIn(t, pattern, true, quoted)...)
		for _, p := range printedIn(t, pattern, false, placed) {
			p.line = "fairbridge " + p.line
			all = append(all, p)
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d commands were found", len(all))
	}
	for _, p := range all {
		for _, words := range shellWords(p.line) {
			if words[0] != "fairbridge" {
				continue
			}
			if err := takes(words[1:], p.mention); err != nil {
				t.Errorf("%s: %s: %v", p.where, p.line, err)
			}
		}
	}
}

// takes returns what is wrong with a call, without running it. The command's own checks are
// in PreRunE, if it has any.
func takes(words []string, mention bool) error {
	root := newRoot(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(words)
	if err != nil || len(rest) == 0 && mention {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if slices.Contains([]string{"replay", "drop", "edit", "forget"}, cmd.Name()) && !slices.Contains(rest, "--yes") {
		rest = append(rest, "--yes") // in place of a person's answer
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return nil
	}
	args := cmd.Flags().Args()
	if err := cmd.ValidateArgs(args); err != nil {
		return err
	}
	if cmd.PreRunE != nil {
		return cmd.PreRunE(cmd, args)
	}
	return nil
}

// placeholders are replaced by values that a person would know.
var placeholders = strings.NewReplacer("{id}", "3f9a2c41", " ID", " 3f9a2c41", "${AWS::StackName}", "fairbridge", "...", "")

// shellWords splits a line as a shell does: into the commands of a pipe, and each of those
// into words. Two spaces, which precede an explanation, end the line.
func shellWords(line string) (commands [][]string) {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	line = placeholders.Replace(line)
	for i, r := range line {
		rest := line[i:]
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case strings.HasPrefix(rest, "  "), strings.HasPrefix(rest, " #"), strings.HasPrefix(rest, " >"), r == ';':
			end()
			return append(commands, words)
		case r == '|':
			end()
			commands, words = append(commands, words), nil
		case r == ' ':
			end()
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	end()
	return append(commands, words)
}
