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

// lastFile keeps the figures that a run is compared with.
const lastFile = "test/bench/last.json"

// report is one run.
type report struct {
	Date       string   `json:"date"`
	Go         string   `json:"go"`
	Platform   string   `json:"platform"`
	Processors int      `json:"processors"`
	Rounds     int      `json:"rounds"`
	Results    []result `json:"results"`
}

// result is a figure with what was measured for it.
type result struct {
	Key        string  `json:"key"`
	What       string  `json:"what"`
	Unit       string  `json:"unit,omitempty"`
	Value      spread  `json:"value"`
	Floor      string  `json:"floor,omitempty"`
	FloorValue *spread `json:"floorValue,omitempty"`
	// Judged is the ratio of value to floor, their difference, or the value
	// itself: what the bound is for.
	Judged spread `json:"judged"`
	Must   string `json:"must,omitempty"`
	Missed bool   `json:"missed,omitempty"`
	// Worse is what Judged was in the last run, if it has become worse by more
	// than the noise of both.
	Worse *spread `json:"worse,omitempty"`

	must must
}

func newReport(rounds int) report {
	return report{
		Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Processors: runtime.NumCPU(), Rounds: rounds,
	}
}

// newResult sums up a figure's samples, one a round.
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
	r.Missed = f.Must.missedBy(r.Judged.Median)
	return r
}

// slack is what a figure may get worse by without a word, even if it has no
// noise, as a size: a part of the figure.
const slack = 0.02

// compare marks what has become worse: where even the best round of this run is
// worse than the worst of the last one.
func (r *report) compare(last report) {
	for i := range r.Results {
		now := &r.Results[i]
		at := slices.IndexFunc(last.Results, func(l result) bool { return l.Key == now.Key })
		if at < 0 {
			continue
		}
		before := last.Results[at].Judged
		worse := now.Judged.Min > before.Max*(1+slack)
		if now.must.atLeast {
			worse = now.Judged.Max < before.Min*(1-slack)
		}
		if worse {
			now.Worse = &before
		}
	}
}

// readLast reads the figures of the last run that was kept; there may be none.
func (l *lab) readLast() (report, error) {
	var last report
	text, err := os.ReadFile(filepath.Join(l.root, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		return last, fmt.Errorf("read the last run's figures: %w", err)
	}
	return last, nil
}

// save keeps the figures, and writes them into the documentation.
func (l *lab) save(r report) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(filepath.Join(l.root, lastFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the figures: %w", err)
	}
	return l.writeDocs(r)
}
