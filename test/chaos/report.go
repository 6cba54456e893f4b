package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// mostViolations limits the listed violations; there may be as many as deliveries.
const mostViolations = 50

// report is the result of a run.
type report struct {
	settings
	// The tickets, and the accepted webhooks that made no ticket of their own.
	Tickets    int `json:"tickets"`
	Duplicates int `json:"duplicates"`
	// Lost are deliveries with neither a complete ticket nor a dead letter. Twice are
	// duplicate tickets and files.
	Lost  int `json:"lost"`
	Twice int `json:"twice"`
	// DeadLetters are the replayed ones, by reason, and Copies are second letters about the
	// same delivery. Rounds is how often all of them were replayed.
	DeadLetters map[string]int `json:"deadLetters"`
	Copies      int            `json:"copies"`
	Rounds      int            `json:"rounds"`
	// Attempts are the claims of all deliveries.
	Attempts     int            `json:"attempts"`
	MostAttempts int            `json:"mostAttempts"`
	Results      map[string]int `json:"results"` // of attempts, as the bridge reported them
	Refused      int            `json:"refused"` // webhooks that were not accepted, and sent again
	Killed       int            `json:"killed"`
	Interrupted  int            `json:"interrupted"`
	Faults       map[string]int `json:"faultsStruck"`
	Requests     int            `json:"requests"` // at Centercode
	Seconds      float64        `json:"seconds"`
	Violations   []string       `json:"violations"`
	Storms       []*stormReport `json:"storms"`
	Data         string         `json:"data,omitempty"` // the folder that was kept
}

func newReport(s settings) *report {
	return &report{settings: s, DeadLetters: map[string]int{}, Results: map[string]int{}, Violations: []string{}}
}

// violate records a broken promise.
func (r *report) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Violations, text) {
		r.Violations = append(r.Violations, text)
	}
}

func (r *report) kept() bool {
	return len(r.Violations) == 0 && !slices.ContainsFunc(r.Storms, func(s *stormReport) bool { return len(s.Violations) > 0 })
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeTable(w io.Writer) error {
	mode := "look-up"
	if r.Park {
		mode = "lost answers parked"
	}
	fmt.Fprintf(w, "chaos with seed %d: %d deliveries, %s, %.0f %% faults\n\n", r.Seed, r.settings.Deliveries, mode, 100*r.settings.Faults)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, value any, more string) { fmt.Fprintf(t, "%s\t%v\t%s\n", name, value, more) }
	line("tickets", r.Tickets, "")
	line("duplicates absorbed", r.Duplicates, "")
	line("lost", r.Lost, "")
	line("twice", r.Twice, "")
	line("dead letters", sum(r.DeadLetters), fmt.Sprintf("all replayed, in %d rounds; %d second letters", r.Rounds, r.Copies))
	for _, name := range byCount(r.DeadLetters) {
		line("  "+name, r.DeadLetters[name], "")
	}
	line("attempts", r.Attempts, fmt.Sprintf("at most %d for one delivery", r.MostAttempts))
	line("kill -9", r.Killed, fmt.Sprintf("and %d Ctrl-C; %d webhooks were refused meanwhile", r.Interrupted, r.Refused))
	line("faults struck", sum(r.Faults), fmt.Sprintf("%d requests at Centercode", r.Requests))
	for _, name := range byCount(r.Faults) {
		line("  "+name, r.Faults[name], "")
	}
	line("time", (time.Duration(r.Seconds*1000) * time.Millisecond).Round(100*time.Millisecond), "")
	if err := t.Flush(); err != nil {
		return err
	}
	if err := writeStorms(w, r.Storms); err != nil {
		return err
	}
	var b strings.Builder
	if r.kept() {
		b.WriteString("\nthe promise is kept\n")
	} else {
		all := slices.Clone(r.Violations)
		for _, s := range r.Storms {
			for _, v := range s.Violations {
				all = append(all, s.Name+": "+v)
			}
		}
		fmt.Fprintf(&b, "\nTHE PROMISE IS BROKEN, %d times; what is left is in %s\n", len(all), r.Data)
		for _, v := range all[:min(len(all), mostViolations)] {
			b.WriteString("  " + v + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeStorms(w io.Writer, storms []*stormReport) error {
	if len(storms) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STORM\tTICKETS\tLOST\tTWICE\tDEAD LETTERS\tREFUSED\tMEMORY\tTIME\t")
	for _, s := range storms {
		if s.Skipped != "" {
			fmt.Fprintf(t, "%s\t\t\t\t\t\t\t\t%s\n", s.Name, s.Skipped)
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d MB\t%.1fs\t%s\n",
			s.Name, s.Tickets, s.Lost, s.Twice, s.DeadLetters, s.Refused, s.PeakBytes>>20, s.Seconds, s.Chosen)
	}
	return t.Flush()
}

func sum(counts map[string]int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}

// byCount returns the names, the most frequent first.
func byCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}
