package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	if got, want := spreadOf([]float64{3, 1, 2, 10}), (spread{Median: 2.5, Min: 1, Max: 10}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := spreadOf([]float64{7}), (spread{7, 7, 7}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	var took timings
	for i := range 101 {
		took.add(time.Duration(100-i) * time.Millisecond)
	}
	for _, p := range []float64{0, 50, 99, 100} {
		if got := took.percentile(p); got != p {
			t.Errorf("p%.0f is %v", p, got)
		}
	}
}

func TestMust(t *testing.T) {
	tests := []struct {
		must   must
		sample sample
		judged float64
		text   string
		missed bool
	}{
		{atMostTimes(2), sample{6, 3}, 2, "≤ 2", false},
		{atMostTimes(2), sample{6.3, 3}, 2.1, "≤ 2", true},
		{atLeastTimes(1.3), sample{2, 1}, 2, "≥ 1.3", false},
		{atLeastTimes(1.3), sample{1, 1}, 1, "≥ 1.3", true},
		{atMost(4.5), sample{value: 4.6}, 4.6, "≤ 4.5 MB", true},
		{atMostAbove(2), sample{24, 21}, 3, "≤ +2 MB", true},
		{atMostAbove(2), sample{22, 21}, 1, "≤ +2 MB", false},
		{atMostTimes(2).andAtMost(100), sample{101, 100}, 1.01, "≤ 2, ≤ 100 MB", true},
		{atMostTimes(1.25).andAtMost(100), sample{99, 90}, 1.1, "≤ 1.25, ≤ 100 MB", false},
		{reported, sample{100, 1}, 100, "", false},
		{reportedValue, sample{value: 7}, 7, "", false},
	}
	for _, tt := range tests {
		got := tt.must.judge(tt.sample)
		if got != tt.judged || tt.must.text("MB") != tt.text || tt.must.missedBy(got, tt.sample.value) != tt.missed {
			t.Errorf("%+v of %v: judged %v, %q, missed %v; want %v, %q, %v",
				tt.must, tt.sample, got, tt.must.text("MB"), tt.must.missedBy(got, tt.sample.value), tt.judged, tt.text, tt.missed)
		}
	}
}

func TestCompare(t *testing.T) {
	before := spread{Median: 2, Min: 1.8, Max: 2.2}
	tests := map[string]struct {
		must  must
		now   []float64
		worse bool
	}{
		"the same":                       {atMostTimes(3), []float64{1.8, 2, 2.2}, false},
		"worse, within the noise":        {atMostTimes(3), []float64{2.2, 2.6, 3}, false},
		"worse":                          {atMostTimes(3), []float64{2.3, 2.6, 3}, true},
		"better":                         {atMostTimes(3), []float64{1, 1, 1}, false},
		"worse by less than is reported": {atMostTimes(3), []float64{2.21, 2.21, 2.21}, false},
		"more, where more is better":     {atLeastTimes(1), []float64{3, 3, 3}, false},
		"less, where more is better":     {atLeastTimes(1), []float64{1, 1.5, 1.7}, true},
		"less, but with some as before":  {atLeastTimes(1), []float64{1, 1.5, 1.8}, false},
		"worse, though it has no bound":  {reported, []float64{5, 5, 5}, true},
		"worse, and it is known already": {atMostTimes(1), []float64{2, 2, 2}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var samples []sample
			for _, v := range tt.now {
				samples = append(samples, sample{v, 1})
			}
			r := report{Results: []result{newResult(figure{Key: "f", Floor: "floor", Must: tt.must}, samples)}}
			r.compare(report{Results: []result{{Key: "other"}, {Key: "f", Judged: before}}})
			if got := r.Results[0].Worse != nil; got != tt.worse {
				t.Errorf("worse: %v, want %v", got, tt.worse)
			}
		})
	}
}

// sampleReport returns a report with a line of each kind.
func sampleReport() report {
	missed := newResult(figure{Key: "cpu.ingest", What: "ingest", Unit: "ms", Floor: "hello", Must: atMostTimes(2)}, []sample{{6, 2}, {5, 2}, {8, 2.5}})
	missed.Worse = &spread{Median: 1.5, Min: 1.4, Max: 1.6}
	return report{Date: "2026-01-31", Go: "go1.26", Platform: "linux/amd64", machine: machine{Processors: 2}, Rounds: 3, Results: []result{
		missed,
		newResult(figure{Key: "log.ingest", What: "log", Unit: "B", Must: reportedValue}, []sample{{500, 0}}),
		newResult(figure{Key: "m", What: "memory", Unit: "MB", Floor: "1 MB", Must: atMostAbove(2)}, []sample{{20, 19.5}, {20.25, 19.25}}),
	}}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := writeTable(&out, sampleReport()); err != nil {
		t.Fatal(err)
	}
	want := `WHAT    MEASURED  FLOOR, SAME RUN  RATIO (MIN TO MAX)       MUST BE  
ingest  6 ms   hello: 2 ms   3 (2.50 to 3.20)      ≤ 2    missed, worse than before: 1.50 (1.40 to 1.60)
log     500 B                      500 B                             
memory  20.1 MB   1 MB: 19.4 MB    +0.8 (+0.5 to +1.0) MB   ≤ +2 MB  reached
`
	got, _, _ := strings.Cut(out.String(), "\nlinux")
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	writeMarkdown(&out, sampleReport())
	if !strings.Contains(out.String(), "\n| ingest | 6 ms | hello: 2 ms | 3 (2.50 to 3.20) | ≤ 2 | **missed, worse") {
		t.Errorf("got\n%s", out.String())
	}
}

// squeeze collapses spaces, and removes those at the end of a line.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestDocs(t *testing.T) {
	text := "a\n<!-- bench: table -->\nold\n<!-- end of bench: table -->\nb\n"
	got, err := replaceSection([]byte(text), "table", "new\n")
	if want := strings.Replace(text, "old\n", "\nnew\n\n", 1); string(got) != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if again, err := replaceSection(got, "table", "new\n"); string(again) != string(got) || err != nil {
		t.Errorf("the second time %q, %v", again, err)
	}
	if _, err := replaceSection(got, "cost", ""); err == nil || !strings.Contains(err.Error(), `"cost"`) {
		t.Errorf("a section without markers: %v", err)
	}
	page, err := os.ReadFile("../../" + docsFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range sections([]report{sampleReport()}, template(t)) {
		if _, err := replaceSection(page, name, content); err != nil {
			t.Error(err)
		}
	}
}

func TestCost(t *testing.T) {
	of := func(key string, v float64) result { return result{Key: key, Value: spread{v, v, v}} }
	r := report{Results: []result{of("cpu.ingest", 0.5), of("cpu.worker", 1.5), of("log.ingest", 500), of("log.worker", 700), of("ledger.units", 4)}}
	got := map[string]float64{}
	for _, e := range r.cost() {
		got[e.service] = e.dollars
	}
	for service, want := range map[string]float64{
		"API Gateway":      1,
		"Lambda, ingest":   0.2 + 0.028, // 17 ms at 128 MB
		"Lambda, worker":   0.2 + 1.834, // 550 ms at 256 MB
		"SQS":              1.6,
		"DynamoDB, writes": 2.5,
		"CloudWatch Logs":  0.72,
	} {
		if diff := got[service] - want; diff > 0.001 || diff < -0.001 {
			t.Errorf("%s costs %.4f, want %.3f", service, got[service], want)
		}
	}
}

func template(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFixedCost checks that the documented cost of a month is that of the template.
func TestFixedCost(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := replaceSection(page, "fixed", fixed(template(t)).monthly())
	if err != nil || string(want) != string(page) {
		t.Errorf("docs/performance.md does not have, %v:\n%s", err, fixed(template(t)).monthly())
	}
	if got := fixed(template(t)); got[0].dollars < 1 || got[3].dollars <= 0 {
		t.Errorf("the alarms and the queue cost %+v", got)
	}
}

func TestHarness(t *testing.T) {
	var order []string
	err := with(t.Context(), t.TempDir(), func(tb testing.TB) {
		tb.Cleanup(func() { order = append(order, "first") })
		dir := tb.TempDir()
		tb.Cleanup(func() {
			if _, err := os.Stat(dir); err != nil {
				t.Error(err)
			}
			order = append(order, "second")
		})
		tb.Error("one")
		tb.Fatalf("t%s", "wo")
		order = append(order, "went on")
	})
	if err == nil || err.Error() != "one\ntwo" || !slices.Equal(order, []string{"second", "first"}) {
		t.Errorf("%v, %v", err, order)
	}
	if err := with(t.Context(), t.TempDir(), func(testing.TB) {}); err != nil {
		t.Error(err)
	}
}

func TestProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := processOf(t, self)
	if mb := p.peakMemory(t); mb < 1 || mb > 1000 {
		t.Errorf("peak memory of %v MB", mb)
	}
	if took := p.cpuSince(t, 0); took < clockTick {
		t.Errorf("%v of processor time", took)
	}
	err = with(t.Context(), t.TempDir(), func(tb testing.TB) { processOf(tb, "/no/such") })
	if err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not: %v", err)
	}
}
