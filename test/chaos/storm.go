package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// storm is something that happens to a bridge from outside, in a run of its own.
type storm struct {
	name string
	// deliveries is the number of different webhooks.
	deliveries int
	// long storms take minutes, or need a build of their own, and are not part of the short
	// form.
	long bool
	// padding is how many bytes are added to each webhook.
	padding int
	// blow sends all webhooks of the plan, and makes the storm happen.
	blow func(ctx context.Context, g *gale) error
	// clock means that the bridge has a clock that can be set, and disk that its folder is
	// on a small disk.
	clock, disk bool
	// letters means that dead letters are expected.
	letters bool
	// leaves are words that `status` must print at the end, each in one of the problems it
	// lists. There may be no other problem.
	leaves []string
}

// errCannot means that this machine cannot run a storm.
var errCannot = errors.New("not on this machine")

// storms are all storms.
var storms = []storm{
	{name: "damaged", deliveries: 40, blow: damaged},
	{name: "unlinked", deliveries: 60, blow: unlinked},
	{name: "full", deliveries: 100, padding: 20_000, disk: true, blow: fullDisk, leaves: []string{"webhooks refused"}},
	{name: "clock", deliveries: 60, clock: true, long: true, // with its own package time, so everything is compiled again
		blow: clockJumps},
	{name: "stopped", deliveries: 40, long: true, blow: stopped},
	{name: "sources", deliveries: 20, blow: slowSources, letters: true},
	{name: "flood", deliveries: 60, blow: flood},
	{name: "outage", deliveries: 60, blow: centercodeAway},
}

// chosen returns the storms with these names. "all" means all of them, or, if short, all
// but the long ones.
func chosen(names string, short bool) (picked []storm, err error) {
	switch names {
	case "none":
		return nil, nil
	case "all":
		return slices.DeleteFunc(slices.Clone(storms), func(s storm) bool { return short && s.long }), nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(storms, func(s storm) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no storm %q: --storms takes all, none, or some of %s", name, stormNames())
		}
		picked = append(picked, storms[i])
	}
	return picked, nil
}

func stormNames() string {
	names := make([]string, 0, len(storms))
	for _, s := range storms {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}

// gale is the run of a storm.
type gale struct {
	*world
	dir   string
	r     *rand.Rand
	clock *clock // nil without one
	chose string // chosen by the seed, for the report
}

// stormReport is the result of a storm.
type stormReport struct {
	Name        string   `json:"name"`
	Seed        uint64   `json:"seed"`
	Chosen      string   `json:"chosen,omitempty"`
	Skipped     string   `json:"skipped,omitempty"` // why it could not run
	Tickets     int      `json:"tickets"`
	Refused     int      `json:"refused"`
	Lost        int      `json:"lost"`
	Twice       int      `json:"twice"`
	DeadLetters int      `json:"deadLetters"`
	Losses      int      `json:"losses"` // bridges that ended on their own, as expected
	PeakBytes   int64    `json:"peakBytes"`
	Seconds     float64  `json:"seconds"`
	Violations  []string `json:"violations"`
}

// asked are the requested storms.
type asked struct {
	storms []storm
	// byName means that each was requested by name: one that this machine cannot run is
	// then an error.
	byName bool
}

// run runs the storms one after the other.
func (a asked) run(ctx context.Context, seed uint64, binary, dir string, progress io.Writer) (reports []*stormReport, err error) {
	setClock := ""
	for _, s := range a.storms {
		of := binary
		if s.clock {
			if setClock == "" {
				if setClock, err = buildWrongClock(ctx, dir); err != nil {
					return nil, err
				}
			}
			of = setClock
		}
		fmt.Fprintf(progress, "storm %s, seed %d\n", s.name, seed)
		place := filepath.Join(dir, s.name)
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder: %w", err)
		}
		limited, cancel := context.WithTimeout(ctx, stormLimit)
		r, err := s.run(limited, seed, of, place, progress)
		cancel()
		switch {
		case errors.Is(err, errCannot) && !a.byName:
			r = &stormReport{Name: s.name, Seed: seed, Skipped: err.Error()}
		case err != nil:
			return nil, fmt.Errorf("storm %s with seed %d: %w", s.name, seed, err)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// stormLimit is how long a storm may last.
const stormLimit = 5 * time.Minute

// run runs a storm on a bridge of its own. The error means that its result could not be
// found out.
func (s storm) run(ctx context.Context, seed uint64, binary, dir string, progress io.Writer) (_ *stormReport, err error) {
	began := time.Now()
	p, err := newPlan(settings{Seed: seed, Deliveries: s.deliveries, Padding: s.padding})
	if err != nil {
		return nil, err
	}
	p.events = nil
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.name)) // never fails
	g := &gale{world: &world{plan: p, report: newReport(p.settings), progress: progress}, dir: dir, r: rand.New(rand.NewPCG(seed, h.Sum64()))}
	log, err := os.Create(filepath.Join(dir, "bridge.log"))
	if err != nil {
		return nil, fmt.Errorf("keep the bridge's output: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if s.disk {
		unmount, err := onSmallDisk(ctx, filepath.Join(dir, "data"))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, unmount()) }()
	}
	if err := g.open(ctx, binary, dir, log); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.far.close(), g.home.Close()) }()
	if s.clock {
		if g.clock, err = newClock(dir); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, g.clock.file.Close()) }()
		g.bridge.env = []string{clockFile + "=" + g.clock.file.Name()}
	}

	group, running := errgroup.WithContext(ctx)
	stop, stopBridge := context.WithCancel(running)
	group.Go(func() error { return g.bridge.run(stop) })
	group.Go(func() error {
		defer stopBridge()
		if err := s.blow(running, g); err != nil {
			return err
		}
		if err := g.resolve(running); err != nil {
			return err
		}
		return g.status(running, s.leaves)
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return g.judge(ctx, s, time.Since(began))
}

// judge compares what is left with what must be.
func (g *gale) judge(ctx context.Context, s storm, took time.Duration) (*stormReport, error) {
	if err := g.finish(ctx); err != nil {
		return nil, err
	}
	if s.letters && sum(g.report.DeadLetters) == 0 {
		g.report.violate("no dead letter came of what must be one")
	}
	if g.bridge.peak > mostMemory {
		g.report.violate("the bridge took %d MB of memory, more than %d", g.bridge.peak>>20, mostMemory>>20)
	}
	return &stormReport{
		Name: s.name, Seed: g.plan.Seed, Chosen: g.chose, Tickets: g.report.Tickets, Lost: g.report.Lost, Twice: g.report.Twice,
		Refused: g.report.Refused, DeadLetters: sum(g.report.DeadLetters), Losses: g.bridge.losses, PeakBytes: g.bridge.peak,
		Seconds: took.Seconds(), Violations: g.report.Violations,
	}, nil
}

// status compares the problems that the command reports with the expected ones.
func (g *gale) status(ctx context.Context, leaves []string) error {
	var said struct{ Problems []string }
	out, err := g.command(ctx, "status", "--json", "--data", g.bridge.data, "--config", g.bridge.config)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return fmt.Errorf("read what status says: %w: %s", err, out)
	}
	if failed := exit != nil; failed != (len(said.Problems) > 0) {
		g.report.violate("status ends with %v and says %q", err, said.Problems)
	}
	for _, problem := range said.Problems {
		if !slices.ContainsFunc(leaves, func(word string) bool { return strings.Contains(problem, word) }) {
			g.report.violate("status says what is not so: %s", problem)
		}
	}
	for _, word := range leaves {
		if !slices.ContainsFunc(said.Problems, func(problem string) bool { return strings.Contains(problem, word) }) {
			g.report.violate("status does not say %q: %q", word, said.Problems)
		}
	}
	return nil
}

// command runs a verb of the command, and returns its output.
func (g *gale) command(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, g.bridge.binary, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, fmt.Errorf("fairbridge %s: %w\n%s", args[0], exit, exit.Stderr)
	}
	return out, err
}

// half splits the webhooks of the plan in two.
func (g *gale) half() (first, second []int) {
	middle := len(g.plan.sends) / 2
	return g.plan.sends[:middle], g.plan.sends[middle:]
}

// during runs do while webhooks are sent, and waits for both.
func (g *gale) during(ctx context.Context, numbers []int, do func(context.Context) error) error {
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return g.sender.send(both, numbers) })
	group.Go(func() error { return do(both) })
	return group.Wait()
}
