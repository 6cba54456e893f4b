// Command bench measures what FairBridge costs. Machines differ, and have other load, so
// every figure is compared with a floor measured in the same rounds, and is the median of
// several, shown with minimum and maximum.
//
//	go run ./test/bench            the whole table, in about five minutes
//	go run ./test/bench --long     with a first build and the tests, which take half an hour
//	go run ./test/bench --short    only shows that everything runs
//	go run ./test/bench --save     keeps the figures, and writes docs/performance.md
//
// It needs Linux and this module's sources. Builds and data are written to .build/bench,
// since durable writes wait for the disk there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// experiments lists all experiments, in the table's order.
var experiments = []experiment{
	coldStarts, packages, warmIngest, warmWorker, attachments, accepting, endToEnd, slowFiles, replaying, growth, looking, building,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "measure next to nothing, in seconds: shows that everything runs")
	long := flags.Bool("long", false, "measure a first build without a cache and 'make test' as well")
	asJSON := flags.Bool("json", false, "print JSON")
	save := flags.Bool("save", false, "keep the figures for later runs to be compared with, and write docs/performance.md")
	only := flags.String("only", "", "only the experiments whose names match this regular expression")
	rounds := flags.Int("rounds", 0, "how many rounds; 0 is as many as is usual")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	if *save && (*short || *only != "") {
		return errors.New("--save needs a whole run, without --short and --only")
	}
	l, err := newLab(ctx, *short, *rounds)
	if err != nil {
		return err
	}
	l.long = *long
	kept, err := l.readKept()
	if err != nil {
		return err
	}
	r, err := l.measure(ctx, pattern, progress)
	if err != nil {
		return err
	}
	if !*short {
		r.compare(r.machine.of(kept))
	}
	if *save {
		if err := l.save(kept, r); err != nil {
			return err
		}
	}
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "\t")
		return e.Encode(r)
	}
	return writeTable(out, r)
}

func newLab(ctx context.Context, short bool, rounds int) (*lab, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find this module: %w", err)
	}
	l := &lab{root: strings.TrimSpace(string(out)), scale: fullScale}
	l.folder = filepath.Join(l.root, ".build", "bench")
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder to work in: %w", err)
	}
	// Processes are found by the real paths of their binaries.
	if l.folder, err = filepath.EvalSymlinks(l.folder); err != nil {
		return nil, err
	}
	if short {
		l.scale = shortScale
	}
	if rounds > 0 {
		l.scale.rounds = rounds
	}
	return l, nil
}

// measure runs every experiment once a round, so that a busy moment of the machine spoils
// one round of all, and not all rounds of one.
func (l *lab) measure(ctx context.Context, only *regexp.Regexp, progress io.Writer) (report, error) {
	var r report
	err := with(ctx, l.folder, func(tb testing.TB) {
		r = newReport(thisMachine(tb, l.folder), l.scale.rounds)
		var chosen []experiment
		var measure []round
		for _, e := range experiments {
			if only.MatchString(e.name) && (l.long || e.name != building.name) {
				fmt.Fprintf(progress, "preparing %s\n", e.name)
				chosen, measure = append(chosen, e), append(measure, e.open(tb, l))
			}
		}
		samples := make([][][]sample, len(chosen)) // by experiment and figure
		for n := range l.scale.rounds {
			for i, e := range chosen {
				if n > 0 && e.once {
					continue
				}
				began := time.Now()
				l.apart(tb, func(tb testing.TB) {
					samples[i] = append(samples[i], measure[i](tb))
				})
				fmt.Fprintf(progress, "round %d of %d: %s, %.1f s\n", n+1, l.scale.rounds, e.name, time.Since(began).Seconds())
			}
		}
		for i, e := range chosen {
			for j, f := range e.figures {
				var ofFigure []sample
				for _, all := range samples[i] {
					ofFigure = append(ofFigure, all[j])
				}
				if !l.scale.judged {
					f.Must.bound = false
				}
				r.Results = append(r.Results, newResult(f, ofFigure))
			}
		}
	})
	return r, err
}
