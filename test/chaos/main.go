// The command chaos proves the bridge's promise under fire: the real `fairbridge
// run` between simulators of TestFairy and Centercode that fail in every way they
// know, killed -9 and started again, with webhooks that come twice, a key that is
// replaced, and times in which Centercode answers nothing but 429 or 503. Then
// each webhook that was answered 202 must be one ticket with each of its files
// once, or a dead letter that says why, and once those are replayed, one ticket.
// Storms follow, each over a bridge of its own: what can befall it from outside.
//
//	go run ./test/chaos --seed 7
//	go run ./test/chaos --deliveries 5000 --park --json
//	go run ./test/chaos --seed 7 --deliveries 10 --kills 0 --storms unlinked,flood
//
// The same seed gives the same plan. What a run makes of it depends on its timing
// as well. The exit code is 1 if the promise is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errBroken):
		os.Exit(1)
	case errors.Is(err, errCall):
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "chaos: %v\n", err)
		os.Exit(1)
	}
}

var (
	// errBroken reports a broken promise.
	errBroken = errors.New("the promise is broken")
	// errCall reports wrong arguments, which package flag has printed already.
	errCall = errors.New("the call is wrong")
)

func command(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	s := settings{}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.Uint64Var(&s.Seed, "seed", uint64(rand.Uint32()), "the plan's seed; a random one without it")
	flags.IntVar(&s.Deliveries, "deliveries", 1000, "how many different webhooks")
	flags.Float64Var(&s.Faults, "faults", 0.2, "the share of requests that are struck by a fault")
	flags.IntVar(&s.Kills, "kills", 3, "how often the bridge is killed, -9")
	flags.BoolVar(&s.Park, "park", false, "leave lost answers to a person; without it they are looked up")
	names := flags.String("storms", "all", "what comes after it, each over a bridge of its own: all, none, or some of "+stormNames())
	short := flags.Bool("short", false, "with --storms all: without those that take minutes")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	dir := flags.String("dir", "", "a folder to make for the run, which is kept; without it a temporary one, kept if the promise is broken")
	limit := flags.Duration("timeout", 15*time.Minute, "how long the run may take")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errCall
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q", flags.Arg(0))
	}
	if err := s.check(); err != nil {
		return err
	}
	picked, err := chosen(*names, *short)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "seed %d\n", s.Seed)
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	r, err := inFolder(*dir, func(dir string) (*report, error) {
		return chaos(ctx, s, asked{picked, *names != "all"}, dir, progress)
	})
	if err != nil {
		return err
	}
	write := r.writeTable
	if *asJSON {
		write = r.writeJSON
	}
	if err := write(out); err != nil {
		return err
	}
	if !r.kept() {
		return errBroken
	}
	return nil
}

// chaos builds the command, carries out the plan for these settings, and then the storms.
func chaos(ctx context.Context, s settings, storms asked, dir string, progress io.Writer) (*report, error) {
	p, err := newPlan(s)
	if err != nil {
		return nil, err
	}
	binary, err := build(ctx, dir, "fairbridge")
	if err != nil {
		return nil, err
	}
	r, err := run(ctx, p, binary, dir, progress)
	if err != nil {
		return nil, err
	}
	r.Storms, err = storms.run(ctx, s.Seed, binary, dir, progress)
	return r, err
}

// inFolder runs run in a folder, and removes a temporary one unless there is something to
// look at.
func inFolder(dir string, run func(dir string) (*report, error)) (r *report, err error) {
	temporary := dir == ""
	if temporary {
		dir, err = os.MkdirTemp("", "fairbridge-chaos-")
	} else {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	if r, err = run(dir); err != nil {
		return nil, fmt.Errorf("%w (see %s)", err, dir)
	}
	if temporary && r.kept() {
		return r, os.RemoveAll(dir)
	}
	r.Data = dir
	return r, nil
}
