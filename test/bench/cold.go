package main

import (
	"testing"
	"time"

	"fairbridge/functions/lambdatest"
)

// coldStarts takes each function from exec to the answer of its first
// invocation, through Lambda's runtime API.
var coldStarts = experiment{
	name: "cold start",
	figures: []figure{
		{Key: "cold.ingest", What: "cold start and first invocation, ingest", Unit: "ms", Floor: "hello", Must: atMostTimes(2.0)},
		{Key: "cold.worker", What: "cold start and first invocation, worker", Unit: "ms", Floor: "hello", Must: atMostTimes(2.8)},
		{Key: "cold.ingest.tls", What: "the same over TLS, ingest", Unit: "ms", Floor: "hello", Must: reported},
		{Key: "cold.worker.tls", What: "the same over TLS, worker", Unit: "ms", Floor: "hello", Must: reported},
	},
	open: func(tb testing.TB, l *lab) round {
		plain, secure := environment(tb, startNeighbours(tb)), environment(tb, startSecure(tb))
		hello := l.build(tb, "fairbridge/test/bench/floor/hello", "")
		ingest, worker := l.buildFunction(tb, "fairbridge/functions/ingest"), l.buildFunction(tb, "fairbridge/functions/worker")
		webhook, message := l.webhook(tb), message(tb, l.feedback(tb, "A first one", ""))
		return func(tb testing.TB) []sample {
			var floor timings
			taken := make([]timings, 4)
			for range l.scale.coldStarts {
				floor.add(l.coldStart(tb, hello, plain, struct{}{}))
				taken[0].add(l.coldStart(tb, ingest, plain, webhook))
				taken[1].add(l.coldStart(tb, worker, plain, message))
				taken[2].add(l.coldStart(tb, ingest, secure, webhook))
				taken[3].add(l.coldStart(tb, worker, secure, message))
			}
			samples := make([]sample, len(taken))
			for i, t := range taken {
				samples[i] = sample{t.percentile(50), floor.percentile(50)}
			}
			return samples
		}
	},
}

// coldStart starts a function, invokes it once and ends it.
func (l *lab) coldStart(tb testing.TB, binary string, env map[string]string, event any) (took time.Duration) {
	l.apart(tb, func(tb testing.TB) {
		f := lambdatest.Start(tb, binary, env)
		init, err := f.ColdStart(tb.Context())
		if err != nil {
			tb.Fatalf("%v\n%s", err, f.Output())
		}
		took = init + invoke(tb, f, event)
	})
	return took
}
