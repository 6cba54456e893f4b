package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// lastFile has the figures that a run is compared with: for each kind of machine those of
// its last run.
const lastFile = "test/bench/last.json"

// report is one run.
type report struct {
	Date     string `json:"date"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	machine
	Rounds  int      `json:"rounds"`
	Results []result `json:"results"`
}

// result is a figure with its measurements.
type result struct {
	Key        string  `json:"key"`
	What       string  `json:"what"`
	Unit       string  `json:"unit,omitempty"`
	Value      spread  `json:"value"`
	Floor      string  `json:"floor,omitempty"`
	FloorValue *spread `json:"floorValue,omitempty"`
	// Judged is the number to which the bound applies: the ratio of value to floor, their
	// difference, or the value itself.
	Judged spread `json:"judged"`
	Must   string `json:"must,omitempty"`
	Missed bool   `json:"missed,omitempty"`
	// Busy means that the floor varied so much between the rounds that a missed bound
	// proves nothing.
	Busy bool `json:"busy,omitempty"`
	// Before is Judged in the last run, if there was one.
	Before *spread `json:"-"`
	// Worse is Judged in the last run, if it has got worse by more than the noise of both.
	Worse *spread `json:"worse,omitempty"`

	must must
}

func newReport(m machine, rounds int) report {
	return report{
		Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		machine: m, Rounds: rounds,
	}
}

// newResult summarises a figure's samples, one for each round.
func newResult(f figure, samples []sample) result {
	var values, floors, judged []float64
	for _, s := range samples {
		values, floors, judged = append(values, s.value), append(floors, s.floor), append(judged, f.Must.judge(s))
	}
	r := result{
		Key: f.Key, What: f.What, Unit: f.Unit, Value: spreadOf(values), Floor: f.Floor,
		Judged: spreadOf(judged), Must: f.Must.text(f.Unit), must: f.Must,
	}
	if f.Floor != "" {
		floor := spreadOf(floors)
		r.FloorValue = &floor
	}
	r.Missed = f.Must.missedBy(r.Judged.Median, r.Value.Median)
	if r.Missed && r.FloorValue != nil && r.FloorValue.unrest() > tooBusy {
		r.Missed, r.Busy = false, true
	}
	return r
}

// tooBusy is how much the floors of several rounds may differ, as a fraction of their
// median, before a figure is not judged: they do the same work each time.
const tooBusy = 0.25

// slack is how much worse, as a fraction, a figure without noise such as a size may get
// without being reported.
const slack = 0.02

// compare marks the figures that got worse: even the best round of this run is worse than
// the worst of the last one.
func (r *report) compare(last report) {
	for i := range r.Results {
		now := &r.Results[i]
		at := slices.IndexFunc(last.Results, func(l result) bool { return l.Key == now.Key })
		if at < 0 {
			continue
		}
		before := last.Results[at].Judged
		now.Before = &before
		worse := now.Judged.Min > before.Max*(1+slack)
		if now.must.atLeast {
			worse = now.Judged.Max < before.Min*(1-slack)
		}
		if worse {
			now.Worse = &before
		}
	}
}

// readKept reads the kept figures, the last ones of each kind of machine.
func (l *lab) readKept() (kept []report, err error) {
	text, err := os.ReadFile(filepath.Join(l.root, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read the figures that were kept: %w", err)
	}
	return kept, nil
}

// of returns the report of a kind of machine.
func (m machine) of(kept []report) (last report) {
	if at := slices.IndexFunc(kept, func(r report) bool { return r.kind() == m.kind() }); at >= 0 {
		last = kept[at]
	}
	return last
}

// save keeps the figures next to those of other machines, and writes all of them to the
// documentation.
func (l *lab) save(kept []report, r report) error {
	kept = slices.DeleteFunc(kept, func(other report) bool { return other.kind() == r.kind() })
	kept = append([]report{r}, kept...)
	text, err := json.MarshalIndent(kept, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(l.root, lastFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the figures: %w", err)
	}
	return l.writeDocs(kept)
}
