package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/testfairy"
)

// exampleBaseURL stands in the printed request while no Centercode is
// configured.
const exampleBaseURL = "https://centercode.invalid"

func newCheck(std streams) *cobra.Command {
	var config string
	var payloads []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check fairbridge.yaml, and show the request a payload becomes",
		Long: `Reads the file as the bridge does and names every mistake with its place. With
--payload it prints the exact request that Centercode would get, and sends
nothing. The exit code is 1 if the file or a payload is not right.`,
		Example: `  fairbridge check
  fairbridge check --payload events/feedback.json
  fairbridge check --config new.yaml --payload events --json`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			c, err := loadConfig(config)
			var problems mapping.Problems
			if errors.As(err, &problems) {
				for _, p := range problems {
					if err := p.Render(std.err); err != nil {
						return err
					}
				}
				fmt.Fprintf(std.err, "\n%s in %s\n", count(len(problems), "problem"), config)
				return errSaid
			}
			if err != nil {
				return err
			}
			if len(payloads) == 0 {
				_, err := fmt.Fprintf(std.out, "%s is right: %s\n", config, count(len(c.Routes), "route"))
				return err
			}
			return checkPayloads(std.out, c, payloads, asJSON)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringArrayVar(&payloads, "payload", nil, "file or folder of payloads (repeatable)")
	_ = cmd.MarkFlagFilename("payload", "json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a payload")
	return cmd
}

// checked is the request that a payload becomes.
type checked struct {
	Payload     string          `json:"payload"`
	Route       int             `json:"route,omitempty"` // counted from 1
	Method      string          `json:"method,omitempty"`
	URL         string          `json:"url,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	Attachments []checkedFile   `json:"attachments,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Ignored     string          `json:"ignored,omitempty"`
	Problems    []string        `json:"problems,omitempty"`
}

type checkedFile struct {
	Element  string `json:"element"`
	URL      string `json:"url"`
	Filename string `json:"filename,omitempty"`
	Optional bool   `json:"optional,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

func checkPayloads(out io.Writer, c *mapping.Config, payloads []string, asJSON bool) error {
	var files []string
	for _, p := range payloads {
		info, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("read payload: %w", err)
		}
		if !info.IsDir() {
			files = append(files, p)
			continue
		}
		inside, err := filepath.Glob(filepath.Join(p, "*.json"))
		if err != nil || len(inside) == 0 {
			return fmt.Errorf("there are no payloads (*.json) in %s", p)
		}
		files = append(files, inside...)
	}
	checker, err := newChecker(c)
	if err != nil {
		return err
	}
	bad := false
	for i, file := range files {
		result, err := checker.payload(file)
		if err != nil {
			return err
		}
		bad = bad || len(result.Problems) > 0
		if asJSON {
			err = json.NewEncoder(out).Encode(result)
		} else {
			err = result.write(out, i > 0)
		}
		if err != nil {
			return err
		}
	}
	if bad {
		return errSaid
	}
	return nil
}

// checker knows what the worker knows, but sends nothing.
type checker struct {
	config  *mapping.Config
	client  *centercode.Client
	fetcher *attachment.Fetcher
}

func newChecker(c *mapping.Config) (*checker, error) {
	base := c.Centercode.BaseURL
	if base == "" {
		base = exampleBaseURL
	}
	client, err := centercode.New(base, nil)
	if err != nil {
		return nil, err
	}
	fetcher, err := attachment.NewFetcher(sourceOptions(c))
	if err != nil {
		return nil, err
	}
	return &checker{config: c, client: client, fetcher: fetcher}, nil
}

func (c *checker) payload(file string) (checked, error) {
	result := checked{Payload: file}
	payload, err := os.ReadFile(file)
	if err != nil {
		return result, fmt.Errorf("read payload: %w", err)
	}
	event, err := testfairy.Decode(payload)
	if err == nil && !c.config.Wants(event.Kind) {
		result.Ignored = fmt.Sprintf("no route wants %q events", event.Kind)
		return result, nil
	}
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		result.Problems = []string{err.Error()}
		return result, nil
	}
	request, err := c.config.Map(mapping.Input{Event: event, DeliveryID: event.DeliveryID(), ReceivedAt: time.Now()})
	if errors.Is(err, mapping.ErrIgnored) {
		result.Ignored = "its route ignores it"
		return result, nil
	}
	if err != nil {
		result.Problems = problemsOf(err)
		return result, nil
	}
	return result, c.request(&result, request)
}

// problemsOf takes joined errors apart.
func problemsOf(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, e := range joined.Unwrap() {
		all = append(all, e.Error())
	}
	return all
}

func (c *checker) request(result *checked, r mapping.Request) error {
	url, err := c.client.TicketURL(r.Project, r.Source)
	if err != nil {
		return err
	}
	result.Route, result.Method, result.URL, result.Body = r.Route+1, "POST", url+"?apiKey=...", r.Body
	for _, w := range r.Warnings {
		result.Warnings = append(result.Warnings, w.String())
	}
	for _, a := range r.Attachments {
		f := checkedFile{Element: a.Element, URL: a.URL, Filename: a.Filename, Optional: a.Optional, Endpoint: a.Endpoint}
		var refused *attachment.Error
		if err := c.fetcher.Check(a.URL); errors.As(err, &refused) {
			f.Problem = refused.Error()
			if !a.Optional {
				result.Problems = append(result.Problems, a.Element+": "+f.Problem)
			}
		}
		result.Attachments = append(result.Attachments, f)
	}
	return nil
}

func (r checked) write(out io.Writer, more bool) error {
	var b bytes.Buffer
	if more {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\n", r.Payload)
	if r.Ignored != "" {
		fmt.Fprintf(&b, "  ignored: %s\n", r.Ignored)
	}
	if r.URL != "" {
		fmt.Fprintf(&b, "  %s %s\n  Content-Type: application/json\n\n", r.Method, r.URL)
		b.WriteString("  ")
		if err := json.Indent(&b, r.Body, "  ", "  "); err != nil {
			return fmt.Errorf("print the request of %s: %w", r.Payload, err)
		}
		b.WriteByte('\n')
	}
	for _, a := range r.Attachments {
		fmt.Fprintf(&b, "\n  attachment %s from %s", a.Element, a.URL)
		if a.Filename != "" {
			fmt.Fprintf(&b, " as %s", a.Filename)
		}
		if a.Endpoint != "" {
			fmt.Fprintf(&b, " to %s", a.Endpoint)
		}
		if a.Optional {
			b.WriteString(" (optional)")
		}
		b.WriteByte('\n')
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", w)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  PROBLEM: %s\n", p)
	}
	_, err := out.Write(b.Bytes())
	return err
}
