package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/preview/report"
)

type checkOptions struct {
	// at is a folder to examine, or a stack; without either flag the mapping file is
	// checked.
	at       place
	config   string
	old      string // of --diff; empty for no comparison
	payloads []string
	asJSON   bool
	verbose  bool
	strict   bool
	exitCode bool
}

func newCheck(std streams) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [--payload FILE|FOLDER...]",
		Short: "Check fairbridge.yaml, and show the request that a payload becomes",
		Long: `Reads the file as the bridge does and reports every mistake with its position.

With --payload it also shows what payloads become, and sends nothing: for one
payload the exact request that Centercode would receive, for several a table. A
folder means the *.json in it, "-" standard input. Warnings are about something
that would be sent, but probably not as intended; they may quote the payload.

With --diff it shows, for each payload, what differs under another mapping file.
The position of a route in the file does not count.

With --data DIR it examines the bridge's database in that folder, but not the
mapping file, and changes nothing; the bridge may run. It reports damage, and how
to recover. With --stack NAME it checks whether the ledger's table has everything
that the bridge needs, which a table from an earlier stack may lack.

The exit code is 1 if the file or a payload has a problem, with --strict also if
there are warnings, and with --exit-code also if --diff finds a difference. It
is 2 if the check could not run.`,
		Example: `  fairbridge check
  fairbridge check --payload events/feedback.json
  fairbridge check --data .fairbridge
  fairbridge check --stack fairbridge
  fairbridge check --payload events --strict
  fairbridge check --payload events --json | jq '.payloads[] | select(.outcome == "dead_letter")'
  git show main:fairbridge.yaml >old.yaml && fairbridge check --payload events --diff old.yaml`,
		Args: func(_ *cobra.Command, more []string) error {
			if len(more) > 0 && len(o.payloads) == 0 {
				return usage("unexpected %q; a payload comes after --payload, the mapping file after --config", more[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, more []string) error {
			o.payloads = append(o.payloads, more...)
			if cmd.Flags().Changed("data") {
				if cmd.Flags().NFlag() > 1 || len(more) > 0 {
					return usage("--data checks a folder and cannot be combined with other flags")
				}
				return checkFolder(cmd.Context(), std, o.at.Folder)
			}
			if err := o.at.check(); err != nil {
				return err
			}
			if o.at.OnAWS() {
				if len(o.payloads) > 0 || o.old != "" || cmd.Flags().Changed("config") {
					return usage("--stack is about the ledger's table and goes with no file")
				}
				return o.at.use(cmd.Context(), func(t *home.Home) error { return checkStack(cmd.Context(), std, t) })
			}
			if len(o.payloads) == 0 && (o.old != "" || o.verbose) {
				return usage("--diff and --verbose are about payloads; name them with --payload")
			}
			if o.exitCode && o.old == "" {
				return usage("--exit-code is about --diff")
			}
			return o.run(std, time.Now())
		},
	}
	configFlag(cmd, &o.config, mappingUse)
	flags := cmd.Flags()
	o.at.flags(cmd)
	flags.StringArrayVar(&o.payloads, "payload", nil, "`file` or folder of payloads; more may follow")
	flags.StringVar(&o.old, "diff", "", "another mapping `file`, to compare with")
	flags.BoolVar(&o.exitCode, "exit-code", false, "exit with 1 if --diff finds a difference")
	flags.BoolVar(&o.strict, "strict", false, "exit with 1 if there are warnings")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "the complete request of each payload, and complete values in a difference")
	flags.BoolVar(&o.asJSON, "json", false, "one JSON object, including problems of the file")
	_ = cmd.MarkFlagFilename("payload", "json")
	_ = cmd.MarkFlagFilename("diff", "yaml", "yml")
	return cmd
}

func checkFolder(ctx context.Context, std streams, folder string) error {
	x, err := embedded.Examine(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no bridge in %s", folder)
	}
	for _, finding := range x.Findings {
		fmt.Fprintf(std.out, "damaged: %s\n", finding)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %d bytes, schema version %d: whole\n", folder, x.Bytes, x.Version)
	return nil
}

// checkStack checks whether a stack's resources have what the bridge needs.
func checkStack(ctx context.Context, std streams, t *home.Home) error {
	lacks, err := t.TableLacks(ctx)
	if err != nil {
		return err
	}
	for _, lack := range lacks {
		fmt.Fprintln(std.out, lack)
	}
	if len(lacks) > 0 {
		return errSaid
	}
	_, err = fmt.Fprintf(std.out, "the ledger's table %s has all that it needs\n", t.LedgerTable)
	return err
}

// run checks and writes the report. now is the value of .receivedAt.
func (o checkOptions) run(std streams, now time.Time) error {
	payloads, err := readPayloads(o.payloads, std.in)
	if err != nil {
		return err
	}
	r := report.Check{Config: o.config, Old: o.old, Problems: []preview.Remark{}, Warnings: []preview.Remark{}, Payloads: []preview.Preview{}}
	var render mapping.Problems // the file's problems as people see them, with its lines
	config, err := loadConfig(o.config)
	switch {
	case errors.As(err, &render):
		r.Problems = preview.Places(render)
	case err != nil:
		return usageError{err}
	default:
		if err := o.checkPayloads(&r, config, payloads, now); err != nil {
			return err
		}
		render = config.UnknownFields(preview.Fields(payloads))
		r.Warnings = preview.Places(render)
		for i := range render {
			render[i].Message = "warning: " + render[i].Message
		}
	}
	if o.asJSON {
		err = r.WriteJSON(std.out)
	} else {
		if err := render.Render(std.err); err != nil {
			return err
		}
		err = r.Write(std.out, std.err, o.verbose)
	}
	if err != nil {
		return err
	}
	if problems, warnings, changes := r.Counts(); problems > 0 || o.strict && warnings > 0 || o.exitCode && changes > 0 {
		return errSaid
	}
	return nil
}

// checkPayloads adds the result of each payload, and with --diff the difference from the
// other file.
func (o checkOptions) checkPayloads(r *report.Check, config *mapping.Config, payloads []preview.Payload, now time.Time) error {
	r.Routes = len(config.Routes)
	var err error
	if r.Payloads, err = previews(config, payloads, now); err != nil || o.old == "" {
		return err
	}
	old, err := loadConfig(o.old)
	if err != nil {
		return usageError{fmt.Errorf("the file to compare with: %w", err)}
	}
	before, err := previews(old, payloads, now)
	if err != nil {
		return err
	}
	for i, was := range before {
		r.Payloads[i].Compare(was)
	}
	return nil
}

func previews(config *mapping.Config, payloads []preview.Payload, now time.Time) ([]preview.Preview, error) {
	checker, err := preview.New(preview.Config{Mapping: config, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	all := make([]preview.Preview, len(payloads))
	for i, p := range payloads {
		all[i] = checker.Payload(p)
	}
	return all, nil
}

// readPayloads reads the named files, and those in the named folders in sorted order, so
// that two reports can be compared.
func readPayloads(names []string, stdin io.Reader) ([]preview.Payload, error) {
	var files []string
	for _, name := range names {
		if info, err := os.Stat(name); name == "-" || err == nil && !info.IsDir() {
			files = append(files, name)
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("read payload: %w", err)}
		}
		before := len(files)
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), ".json") {
				files = append(files, filepath.Join(name, e.Name()))
			}
		}
		if len(files) == before {
			return nil, usage("there are no payloads (*.json) in %s", name)
		}
	}
	slices.Sort(files)
	var payloads []preview.Payload
	for _, file := range slices.Compact(files) {
		data, err := readInput(file, stdin, ingest.MaxPayloadBytes+1)
		if err != nil {
			return nil, usageError{fmt.Errorf("read payload: %w", err)}
		}
		payloads = append(payloads, preview.NewPayload(file, data))
	}
	return payloads, nil
}
