package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/worker"
)

// form is a way in which a call fails.
type form string

const (
	fails        form = "fails"              // an error; the call had no effect
	replyLost    form = "reply lost"         // an error, but the call was carried out
	timesOut     form = "times out"          // the same two, as timeouts
	timesOutDone form = "times out, done"    //
	dies         form = "process dies"       // the call had no effect, and the process is dead
	diesDone     form = "process dies, done" // the call was carried out, and the process is dead
)

var forms = []form{fails, replyLost, timesOut, timesOutDone, dies, diesDone}

// plan makes one call fail: the one with this name and number, such as "ledger.Put#2".
// Without a name it only counts calls.
type plan struct {
	at   string
	form form

	mu    sync.Mutex
	count map[string]int
	calls []string
	met   bool
}

var (
	errFault = errors.New("injected fault")
	errDead  = errors.New("the process is dead")
)

// next counts a call and returns how it fails.
func (p *plan) next(name string) form {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = map[string]int{}
	}
	p.count[name]++
	call := fmt.Sprintf("%s#%d", name, p.count[name])
	p.calls = append(p.calls, call)
	if call != p.at || p.met {
		return ""
	}
	p.met = true
	return p.form
}

// process is one worker, which can die: from then on none of its calls has an effect, as if
// its machine were gone.
type process struct {
	*world
	plan    *plan
	handler *worker.Handler

	// killer is the delivery that kills the process when its ticket is about to be sent.
	killer string

	mu       sync.Mutex
	gone     bool
	outcomes []worker.Outcome
}

func (w *world) start(p *plan) *process {
	w.Helper()
	if p == nil {
		p = &plan{}
	}
	proc := &process{world: w, plan: p}
	transport := centercode.NewTransport()
	w.Cleanup(transport.CloseIdleConnections)
	wire := proc.wire(transport)
	if w.through != nil {
		wire = w.through(wire)
	}
	client, err := centercode.New(centercode.Config{BaseURL: w.centerURL, Hosts: w.hosts, HTTP: &http.Client{Transport: wire}})
	w.must(err)
	fetcher, err := attachment.New(attachment.Config{
		Resolve: w.config.Sources.Resolve, MaxBytes: w.config.Sources.MaxBytes, Now: w.clock.Now})
	w.must(err)
	health, err := breaker.New(breaker.Config{Store: faultyRecords{proc}, Now: w.clock.Now})
	w.must(err)
	proc.handler, err = worker.New(worker.Config{
		Breaker: health, Ledger: ledgertest.New(w, ledger.Config{Store: faultyStore{proc}, Now: w.clock.Now}),
		Mapping: worker.Mapping{
			Mapper: w.config, Centercode: client, Sources: faultySources{proc, fetcher},
			Patience: w.patience, BaseURL: w.centerURL, MappingHash: "a hash",
		},
		Secrets: faultySecrets{proc}, Queue: faultyQueue{proc}, Reporter: proc, Now: w.clock.Now,
		WorkQueueURL: w.work, FilesQueueURL: w.filesQueue, DeadLetterQueueURL: w.dead, HoldAtMost: w.holdAtMost, Uploads: w.uploads,
	})
	w.must(err)
	if w.slow != nil {
		proc.handler.After(w.slow.after)
	}
	return proc
}

// Report implements [worker.Reporter].
func (p *process) Report(_ context.Context, o worker.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcomes = append(p.outcomes, o)
	if o.Err != nil && secret(o.Err.Error()) != "" {
		p.Errorf("an outcome shows a key: %v", o.Err)
	}
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// call wraps every call of the worker to the outside.
func (p *process) call(name string, do func() error) error {
	if p.isDead() {
		return errDead
	}
	form := p.plan.next(name)
	if form == replyLost || form == timesOutDone || form == diesDone {
		if err := do(); err != nil {
			return err
		}
	}
	switch form {
	case fails, replyLost:
		return errFault
	case timesOut, timesOutDone:
		return context.DeadlineExceeded
	case dies, diesDone:
		p.die()
		return errDead
	}
	return do()
}

// wire applies the plan to requests to Centercode on the wire, so that the real client
// interprets the failures.
func (p *process) wire(transport http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (resp *http.Response, err error) {
		name := "centercode.create"
		switch {
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/feedback/"):
			name = "centercode.probe"
		case r.Method == http.MethodGet:
			name = "centercode.find"
		case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"):
			name = "centercode.file"
		}
		err = p.call(name, func() (err error) {
			resp, err = transport.RoundTrip(r)
			return err
		})
		if err != nil && resp != nil {
			discard(resp)
			resp = nil
		}
		if err != nil && r.Body != nil {
			r.Body.Close()
		}
		return resp, err
	})
}

type faultyStore struct{ *process }

func (f faultyStore) Put(ctx context.Context, r ledger.Record) error {
	if r.ID == f.killer && r.State == string(ledger.Creating) {
		f.die()
	}
	return f.call("ledger.Put", func() error { return f.store.Put(ctx, r) })
}

func (f faultyStore) Get(ctx context.Context, id string) (r ledger.Record, err error) {
	err = f.call("ledger.Get", func() error {
		r, err = f.store.Get(ctx, id)
		return err
	})
	return r, err
}

func (f faultyStore) Set(ctx context.Context, r ledger.Record) error {
	return f.call("ledger.Set", func() error { return f.store.Set(ctx, r) })
}

func (f faultyStore) Delete(ctx context.Context, id string) error {
	return f.call("ledger.Delete", func() error { return f.store.Delete(ctx, id) })
}

// faultyRecords are the breaker's records.
type faultyRecords struct{ *process }

func (f faultyRecords) Put(ctx context.Context, r ledger.Record) error {
	return f.call("breaker.Put", func() error { return f.store.Put(ctx, r) })
}

func (f faultyRecords) Get(ctx context.Context, id string) (r ledger.Record, err error) {
	err = f.call("breaker.Get", func() error {
		r, err = f.store.Get(ctx, id)
		return err
	})
	return r, err
}

type faultyQueue struct{ *process }

func (f faultyQueue) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (out *sqs.SendMessageOutput, err error) {
	err = f.call("sqs.SendMessage", func() error {
		out, err = f.sqs.SendMessage(ctx, in)
		return err
	})
	return out, err
}

func (f faultyQueue) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (out *sqs.ChangeMessageVisibilityOutput, err error) {
	err = f.call("sqs.ChangeMessageVisibility", func() error {
		out, err = f.sqs.ChangeMessageVisibility(ctx, in)
		return err
	})
	return out, err
}

type faultySecrets struct{ *process }

func (f faultySecrets) Get(ctx context.Context, name string) (value string, err error) {
	err = f.call("secrets.Get", func() error {
		value, err = f.keys.Get(ctx, name)
		return err
	})
	return value, err
}

func (f faultySecrets) Fresh(ctx context.Context, name string, maxAge time.Duration) (value string, err error) {
	err = f.call("secrets.Fresh", func() error {
		value, err = f.keys.Fresh(ctx, name, maxAge)
		return err
	})
	return value, err
}

type faultySources struct {
	*process
	fetcher *attachment.Fetcher
}

func (f faultySources) Open(ctx context.Context, r attachment.OpenRequest) (file *attachment.File, err error) {
	err = f.call("source.Open", func() error {
		file, err = f.fetcher.Open(ctx, r)
		return err
	})
	if err != nil && file != nil {
		file.Close()
		file = nil
	}
	return file, err
}
