package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/mapping/starter"
	"fairbridge/pkg/terminal"
)

func newInit(std streams) *cobra.Command {
	var config string
	var force bool
	var f starter.File
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first fairbridge.yaml",
		Long: `Writes a first fairbridge.yaml, and beside it the JSON Schema that lets editors
complete and check it. On a terminal it asks for settings that no flag sets;
otherwise --project and --source are required. An existing file is kept unless
--force is given.

Check the result with 'fairbridge check --payload FILE', then edit it:
docs/mapping.md is the reference.`,
		Example: `  fairbridge init
  fairbridge init --project DEMO --source testfairy
  fairbridge init --base-url https://beta.example.com --project DEMO --source testfairy --app "Demo App" --crashes`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Lstat(config); err == nil && !force {
				return fmt.Errorf("%s is there already; --force replaces it, --config names another file", config)
			}
			if err := checkFlags(&f); err != nil {
				return err
			}
			if terminal.Is(std.in) && terminal.Is(std.err) {
				if err := askFor(cmd, std, &f); err != nil {
					return err
				}
			}
			if f.Project == "" || f.Source == "" {
				return usage("init needs --project and --source: the keys in the endpoint's URL, /api/v1/projects/PROJECT/feedback/SOURCE")
			}
			wrote, err := f.Write(config, force)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already; --force replaces it", config)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(std.out, "Wrote %s.\n%s\nNext: %s\n", strings.Join(wrote, " and "), f.Summary(), checkCommand(config))
			return err
		},
	}
	configFlag(cmd, &config, mappingUse)
	flags := cmd.Flags()
	flags.BoolVar(&force, "force", false, "replace an existing file")
	for _, q := range questions {
		flags.StringVar(q.to(&f), q.flag, q.without, q.doc)
	}
	flags.BoolVar(&f.Crashes, "crashes", false, "create tickets for crashes as well")
	return cmd
}

func checkCommand(config string) string {
	command := "fairbridge check"
	if config != defaultConfig {
		command += " --config " + config
	}
	return command + " --payload FILE, where FILE is a payload such as events/feedback.json"
}

// question is one setting of a first file.
type question struct {
	flag, doc string
	ask       string // the question for a person
	without   string // the default answer
	needed    bool
	to        func(*starter.File) *string
}

var questions = []question{
	{flag: "base-url", doc: "Centercode's address, such as https://beta.example.com (default: none, a simulator gets the tickets)",
		ask: "Centercode's address, such as https://beta.example.com (empty: a simulator for now)", to: func(f *starter.File) *string { return &f.BaseURL }},
	{flag: "project", doc: "key of the Centercode project", needed: true,
		ask: "Key of the project, as in the endpoint's URL /api/v1/projects/PROJECT/feedback/SOURCE", to: func(f *starter.File) *string { return &f.Project }},
	{flag: "source", doc: "key of the project's External Source", needed: true,
		ask: "Key of its External Source, as in the same URL", to: func(f *starter.File) *string { return &f.Source }},
	{flag: "app", doc: "name of the app whose events become tickets; * matches any text (default: every app)",
		ask: "Name of the app, as TestFairy shows it (empty: every app)", to: func(f *starter.File) *string { return &f.App }},
	{flag: "screenshot-element", doc: "key of the form's file element for the screenshot; - for none", without: "screenshot",
		ask: "Key of the form's file element for the screenshot (-: none)", to: func(f *starter.File) *string { return &f.Element }},
}

// checkFlags holds each answer that flags gave against what the file may have.
func checkFlags(f *starter.File) error {
	for _, q := range questions {
		if problem := q.problem(*q.to(f)); problem != "" {
			return usage("--%s %q: %s", q.flag, terminal.Printable(*q.to(f)), problem)
		}
	}
	return nil
}

// problem says what the mapping has against an answer, or "".
func (q question) problem(answer string) string {
	f := starter.File{Project: "DEMO", Source: "testfairy"}
	*q.to(&f) = answer
	_, err := mapping.Parse("", f.Text())
	var problems mapping.Problems
	switch {
	case answer == "" || err == nil:
		return ""
	case !errors.As(err, &problems):
		return err.Error()
	case problems[0].Hint == "":
		return problems[0].Message
	}
	return problems[0].Message + "; " + problems[0].Hint
}

// askFor asks a person for what no flag has said.
func askFor(cmd *cobra.Command, std streams, f *starter.File) error {
	in := bufio.NewReader(io.LimitReader(std.in, 64<<10))
	for _, q := range questions {
		if cmd.Flags().Changed(q.flag) {
			continue
		}
		for {
			answer, err := askText(cmd.Context(), std.err, in, q.ask, q.without)
			if err != nil {
				return err
			}
			problem := q.problem(answer)
			if answer == "" && q.needed {
				problem = "this is needed"
			}
			if problem == "" {
				*q.to(f) = answer
				break
			}
			fmt.Fprintf(std.err, "  %s\n", problem)
		}
	}
	if cmd.Flags().Changed("crashes") {
		return nil
	}
	answer, err := askText(cmd.Context(), std.err, in, "Tickets of crashes, too? (y or n)", "n")
	f.Crashes = strings.HasPrefix(strings.ToLower(answer), "y")
	return err
}

// askText asks a question and returns the answer, or without if it is empty.
func askText(ctx context.Context, out io.Writer, in *bufio.Reader, question, without string) (string, error) {
	if without != "" {
		question += " [" + without + "]"
	}
	fmt.Fprintf(out, "%s: ", question)
	line, err := await(ctx, func() (string, error) { return in.ReadString('\n') })
	if errors.Is(err, io.EOF) {
		err = errors.New("the answers ended early")
	}
	if err != nil {
		fmt.Fprintln(out)
		return "", fmt.Errorf("nothing was written: %w", err)
	}
	return cmp.Or(strings.TrimSpace(line), without), nil
}
