package main

import (
	"testing"
	"time"

	"fairbridge/functions/lambdatest"
)

// block is how many invocations a function gets before the other has its turn; warmUp is
// how many of the first ones are ignored.
const (
	block  = 50
	warmUp = 50
)

var warmIngest = experiment{
	name: "ingest, warm",
	figures: []figure{
		{Key: "warm.ingest.p50", What: "ingest, warm, p50", Unit: "ms", Floor: "only SendMessage", Must: reported},
		{Key: "cpu.ingest", What: "ingest, processor time an invocation", Unit: "ms", Floor: "only SendMessage", Must: atMostTimes(1.2)},
		{Key: "log.ingest", What: "ingest, log an invocation", Unit: "B", Must: reportedValue},
		{Key: "memory.ingest", What: "ingest, peak memory after 1,000 invocations", Unit: "MB", Floor: "hello", Must: atMost(20)},
	},
	open: func(tb testing.TB, l *lab) round {
		env := environment(tb, startNeighbours(tb))
		hello, floor := l.build(tb, "fairbridge/test/bench/floor/hello", ""), l.build(tb, "fairbridge/test/bench/floor/send", "")
		ingest := l.buildFunction(tb, "fairbridge/functions/ingest")
		webhook := l.webhook(tb)
		return func(tb testing.TB) []sample {
			h := startWarm(tb, hello, env, struct{}{})
			f, s := startWarm(tb, floor, env, webhook), startWarm(tb, ingest, env, webhook)
			inTurns(tb, l.scale.warm, h, f, s)
			return []sample{
				{s.took.percentile(50), f.took.percentile(50)},
				{s.cpu(tb), f.cpu(tb)},
				{value: s.logged()},
				{s.process.peakMemory(tb), h.process.peakMemory(tb)},
			}
		}
	},
}

var warmWorker = experiment{
	name: "worker, warm",
	figures: []figure{
		{Key: "warm.worker.p50", What: "worker, one feedback without attachment, warm, p50", Unit: "ms", Floor: "its calls alone", Must: reported},
		{Key: "cpu.worker", What: "worker, processor time an invocation", Unit: "ms", Floor: "its calls alone", Must: atMostTimes(1.25)},
		{Key: "log.worker", What: "worker, log an invocation", Unit: "B", Must: reportedValue},
		{Key: "ledger.units", What: "worker, ledger write units a feedback", Unit: "", Must: reportedValue},
		{Key: "memory.worker", What: "worker, peak memory after 1,000 invocations", Unit: "MB", Floor: "hello", Must: atMost(32)},
	},
	open: func(tb testing.TB, l *lab) round {
		n := startNeighbours(tb)
		env := environment(tb, n)
		hello, floor := l.build(tb, "fairbridge/test/bench/floor/hello", ""), l.build(tb, "fairbridge/test/bench/floor/ticket", "")
		worker := l.buildFunction(tb, "fairbridge/functions/worker")
		message := message(tb, l.feedback(tb, "App doesn't render nicely in landscape", ""))
		return func(tb testing.TB) []sample {
			h := startWarm(tb, hello, env, struct{}{})
			f, s := startWarm(tb, floor, env, message), startWarm(tb, worker, env, message)
			before := n.writeUnits.Load()
			invoke(tb, s.function, message)
			units := float64(n.writeUnits.Load() - before)
			inTurns(tb, l.scale.warm, h, f, s)
			return []sample{
				{s.took.percentile(50), f.took.percentile(50)},
				{s.cpu(tb), f.cpu(tb)},
				{value: s.logged()},
				{value: units},
				{s.process.peakMemory(tb), h.process.peakMemory(tb)},
			}
		}
	},
}

// warm is a function that has been invoked a few times.
type warm struct {
	function   *lambdatest.Function
	process    process
	event      any
	took       timings
	cpuBefore  time.Duration
	logsBefore int
}

func startWarm(tb testing.TB, binary string, env map[string]string, event any) *warm {
	w := &warm{function: lambdatest.Start(tb, binary, env), event: event}
	for range warmUp {
		invoke(tb, w.function, event)
	}
	w.process = processOf(tb, binary)
	w.cpuBefore, w.logsBefore = w.process.cpu(tb), len(w.function.Output())
	return w
}

// inTurns invokes each function n times, in blocks, starting each turn with a different
// one.
func inTurns(tb testing.TB, n int, all ...*warm) {
	for turn := 0; len(all[0].took) < n; turn++ {
		for i := range all {
			w := all[(turn+i)%len(all)]
			for range min(block, n-len(w.took)) {
				w.took.add(invoke(tb, w.function, w.event))
			}
		}
	}
}

// cpu returns the processor time of an invocation, in milliseconds.
func (w *warm) cpu(tb testing.TB) float64 {
	return milliseconds(w.process.cpuSince(tb, w.cpuBefore)) / float64(len(w.took))
}

// logged returns how many bytes an invocation logs.
func (w *warm) logged() float64 {
	return float64(len(w.function.Output())-w.logsBefore) / float64(len(w.took))
}
