package main

import (
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/functions/lambdatest"
)

// oneCall is the floor of a cold start: a function that creates the same SDK clients, and
// makes one call with each.
const oneCall = "its SDK clients, a call each"

// coldStarts measures each function from exec to the response of its first invocation,
// through Lambda's runtime API.
var coldStarts = experiment{
	name: "cold start",
	figures: []figure{
		{Key: "cold.ingest", What: "cold start and first invocation, ingest", Unit: "ms", Floor: oneCall, Must: atMostTimes(1.25)},
		{Key: "cold.worker", What: "cold start and first invocation, worker", Unit: "ms", Floor: oneCall, Must: atMostTimes(1.25)},
		{Key: "cold.ingest.tls", What: "the same over TLS, ingest", Unit: "ms", Floor: oneCall, Must: atMostTimes(1.25)},
		{Key: "cold.worker.tls", What: "the same over TLS, worker", Unit: "ms", Floor: oneCall, Must: atMostTimes(1.25)},
		{Key: "cold.ingest.hello", What: "cold start, ingest, beside a function that does nothing", Unit: "ms", Floor: "hello", Must: reported},
		{Key: "cold.worker.hello", What: "cold start, worker, beside a function that does nothing", Unit: "ms", Floor: "hello", Must: reported},
	},
	open: func(tb testing.TB, l *lab) round {
		plain, secure := environment(tb, startNeighbours(tb)), environment(tb, startSecure(tb))
		hello := l.build(tb, "fairbridge/test/bench/floor/hello", "")
		send, ticket := l.build(tb, "fairbridge/test/bench/floor/send", ""), l.build(tb, "fairbridge/test/bench/floor/ticket", "")
		ingest, worker := l.buildFunction(tb, "fairbridge/functions/ingest"), l.buildFunction(tb, "fairbridge/functions/worker")
		webhook, message := l.webhook(tb), message(tb, l.feedback(tb, "A first one", ""))
		// The first start after a change records the running mapping.
		l.coldStart(tb, worker, plain, message)
		l.coldStart(tb, worker, secure, message)
		return func(tb testing.TB) []sample {
			starts := []struct {
				binary string
				env    map[string]string
				event  any
				took   timings
			}{
				{hello, plain, struct{}{}, nil},
				{send, plain, webhook, nil}, {ingest, plain, webhook, nil}, {ticket, plain, events.SQSEvent{}, nil}, {worker, plain, message, nil},
				{send, secure, webhook, nil}, {ingest, secure, webhook, nil}, {ticket, secure, events.SQSEvent{}, nil}, {worker, secure, message, nil},
			}
			for range l.scale.coldStarts {
				for i, s := range starts {
					starts[i].took.add(l.coldStart(tb, s.binary, s.env, s.event))
				}
			}
			of := func(subject, floor int) sample {
				return sample{starts[subject].took.percentile(50), starts[floor].took.percentile(50)}
			}
			return []sample{of(2, 1), of(4, 3), of(6, 5), of(8, 7), of(2, 0), of(4, 0)}
		}
	},
}

// coldStart starts a function, invokes it once and stops it.
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
