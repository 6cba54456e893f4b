package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/embedded/embeddedtest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/sqlitedb"
)

// mostRounds limits how often dead letters are replayed: only a few faults of a delivery
// end in a dead letter.
const mostRounds = 12

// longWait is the longest time a run waits for a message.
const longWait = time.Second

// project is the project at Centercode.
const project = "DEMO"

// mapping is the bridge's fairbridge.yaml. The endpoint is configured, since a ticket that
// was looked up names none. Its query tells the far end which file a request is for.
const mapping = `centercode: {baseUrl: %q}
sources: {resolve: {%s: %q}}
routes:
  - match: {event: feedback}
    project: ` + project + `
    source: testfairy
    fields:
      submitter: "{{ .email }}"
      summary: "{{ .text }}"
      deliveryId: "{{ .deliveryId }}"
    attachments:
      - from: "{{ .screenshotUrl }}"
        element: screenshot
        endpoint: "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot?delivery={{ .deliveryId }}"
        onLostAnswer: park
      - from: "{{ .logUrl }}"
        element: log
        endpoint: "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/log?delivery={{ .deliveryId }}"
        onLostAnswer: park
%s`

const lookup = `    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 1s}
`

// world is a run: the far end, the bridge, the senders, and the bridge's folder, opened
// beside the bridge.
type world struct {
	plan     *plan
	report   *report
	far      *farEnd
	bridge   *bridge
	home     *embedded.Home
	sender   *sender
	operator *operator
	checker  *checker
	health   *breaker.Breaker
	saying   sync.Mutex // held while progress is written, since an event can come at any time
	progress io.Writer
}

// run carries out a plan in a folder. The report has what was found; an error means that it
// could not be found out.
func run(ctx context.Context, p *plan, binary, dir string, progress io.Writer) (_ *report, err error) {
	began := time.Now()
	w := &world{plan: p, report: newReport(p.settings), progress: progress}
	log, err := os.Create(filepath.Join(dir, "bridge.log"))
	if err != nil {
		return nil, fmt.Errorf("keep the bridge's output: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := w.open(ctx, binary, dir, log); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.far.close(), w.home.Close()) }()

	group, running := errgroup.WithContext(ctx)
	stop, stopBridge := context.WithCancel(running)
	group.Go(func() error { return w.bridge.run(stop) })
	group.Go(func() error {
		defer stopBridge()
		return w.deliver(running)
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := w.finish(ctx); err != nil {
		return nil, err
	}
	w.report.Seconds = time.Since(began).Seconds()
	return w.report, nil
}

func (w *world) open(ctx context.Context, binary, dir string, log io.Writer) (err error) {
	data, config := filepath.Join(dir, "data"), filepath.Join(dir, "fairbridge.yaml")
	if w.far, err = newFarEnd(ctx, w.plan, func(what happening) { w.happens(ctx, what) }); err != nil {
		return err
	}
	extra := lookup
	if w.plan.Park {
		extra = ""
	}
	yaml := fmt.Sprintf(mapping, w.far.centerURL, sourceHost, w.far.sourceURL, extra)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return fmt.Errorf("write the bridge's mapping: %w", err)
	}
	w.bridge = newBridge(binary, config, data, log)
	w.sender = &sender{bridge: w.bridge, plan: w.plan, client: &http.Client{Timeout: 30 * time.Second}}
	if err := w.look(ctx); err != nil {
		return err
	}
	return w.putKey(ctx, firstKey)
}

// look opens the bridge's folder beside the bridge.
func (w *world) look(ctx context.Context) (err error) {
	if w.home, err = embedded.Open(ctx, embedded.Config{Folder: w.bridge.data}); err != nil {
		return err
	}
	if w.health, err = breaker.New(breaker.Config{Store: w.home.Ledger, Now: time.Now}); err != nil {
		return err
	}
	l, err := ledger.New(ledger.Config{Store: w.home.Ledger})
	if err != nil {
		return err
	}
	w.operator = &operator{far: w.far, ledger: l, letters: &deadletter.Queue{
		API: w.home.SQS, URL: w.home.DeadLetterQueueURL, WorkURL: w.home.WorkQueueURL}}
	w.checker = &checker{plan: w.plan, far: w.far, ledger: l, report: w.report, sums: map[string]string{}}
	return nil
}

func (w *world) putKey(ctx context.Context, key string) error {
	_, err := w.home.SSM.PutParameter(ctx, &ssm.PutParameterInput{
		Name:  aws.String(secrets.ParameterName(secrets.DefaultPrefix, secrets.CentercodeAPIKey)),
		Value: &key, Type: types.ParameterTypeSecureString, Overwrite: aws.Bool(true),
	})
	return err
}

// happens carries out an event that is not the far end's own.
func (w *world) happens(ctx context.Context, what happening) {
	w.say("  %s", what)
	var err error
	switch what {
	case rotate:
		err = w.putKey(ctx, secondKey)
	case redeliver:
		err = w.deliverTwice(ctx)
	default:
		w.bridge.end(what)
	}
	if err != nil {
		w.bridge.fault("the plan could not be carried out: %s: %v", what, err)
	}
}

// deliver sends all webhooks, and handles dead letters until there are none.
func (w *world) deliver(ctx context.Context) error {
	w.say("sending %d webhooks of %d deliveries", len(w.plan.sends), len(w.plan.deliveries))
	if err := w.sender.send(ctx, w.plan.sends); err != nil {
		return err
	}
	w.say("waiting until all is settled")
	if err := w.settled(ctx); err != nil {
		return err
	}
	w.say("sending %d webhooks again", len(w.plan.late))
	if err := w.sender.send(ctx, w.plan.late); err != nil {
		return err
	}
	return w.resolve(ctx)
}

// resolve waits until everything is settled, checks it and handles the dead letters, until
// there are none.
func (w *world) resolve(ctx context.Context) error {
	for {
		if err := w.settled(ctx); err != nil {
			return err
		}
		letters, err := w.operator.round(ctx, func(cases []deadletter.Case) error { return w.checker.check(ctx, cases) })
		if err != nil || letters == 0 {
			return err
		}
		w.report.Rounds++
		w.say("replayed %d dead letters", letters)
		if w.report.Rounds == mostRounds {
			w.report.violate("%d dead letters came back %d times", letters, mostRounds)
			return nil
		}
	}
}

// settled waits until the work queue is empty. If everything in it waits for long, it is
// delivered early, which SQS may do as well: a run need not last as long as the longest
// backoff, and a message that is delivered too early must do no harm.
func (w *world) settled(ctx context.Context) error {
	for {
		short, cancel := context.WithTimeout(ctx, time.Second)
		err := embeddedtest.Settled(short, w.home)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := w.deliverEarly(ctx); err != nil {
			return err
		}
	}
}

// deliverEarly makes all messages visible when the bridge holds none and has received none
// for longer than longWait. Deliveries held by the circuit breaker are tried immediately,
// as an operator can request.
func (w *world) deliverEarly(ctx context.Context) error {
	state, err := w.health.State(ctx, project)
	if err != nil {
		return err
	}
	if state.Owner == "" {
		if _, err := w.health.Resume(ctx, project); err != nil {
			return err
		}
	}
	n, err := w.show(ctx, deliveredEarly, `NOT EXISTS (SELECT 1 FROM messages AS soon
		WHERE soon.queue = messages.queue AND (soon.held = 1 OR soon.visible_at < ?))`,
		time.Now().Add(longWait).UnixMilli())
	if n > 0 && err == nil { // whoever was to probe has died
		_, err = w.health.Resume(ctx, project)
	}
	return err
}

// deliverTwice makes the messages visible that the bridge holds.
func (w *world) deliverTwice(ctx context.Context) error {
	_, err := w.show(ctx, deliveredTwice, `held = 1`)
	return err
}

// show makes messages of the work queue visible, for which the queue has no call. It
// returns their number.
func (w *world) show(ctx context.Context, fault, which string, args ...any) (shown int64, err error) {
	err = w.home.DB.Write(ctx, func(tx *sqlitedb.Tx) error {
		now := time.Now().UnixMilli()
		result, err := tx.Exec(`UPDATE messages SET visible_at = ? WHERE visible_at > ?
			AND queue = (SELECT id FROM queues WHERE name = ?) AND `+which,
			append([]any{now, now, path.Base(w.home.WorkQueueURL)}, args...)...)
		if err != nil {
			return fmt.Errorf("show messages: %w", err)
		}
		shown, err = result.RowsAffected()
		return err
	})
	w.far.count(fault, int(shown))
	return shown, err
}

func (w *world) say(format string, args ...any) {
	w.saying.Lock()
	defer w.saying.Unlock()
	fmt.Fprintf(w.progress, format+"\n", args...)
}

// finish completes the report when the bridge has ended.
func (w *world) finish(ctx context.Context) error {
	records, err := w.home.Ledger.Recent(ctx, -1)
	if err != nil {
		return err
	}
	w.checker.count(records)
	r := w.report
	for _, fault := range w.bridge.faults {
		r.violate("%s", fault)
	}
	for _, e := range w.far.pending() {
		r.violate("the run was too short for its plan: %q did not happen", e.what)
	}
	r.Tickets = len(w.far.center.Tickets())
	r.Duplicates, r.Refused = w.sender.accepted-len(w.plan.deliveries), w.sender.refused
	r.Results = w.bridge.results
	// The last interrupt is the end of the run itself.
	r.Killed, r.Interrupted = w.bridge.kills, w.bridge.stops-1
	r.Faults, r.Requests = w.far.faultsStruck(), w.far.requests
	return nil
}

// build builds the command in a folder.
func build(ctx context.Context, dir, name string, flags ...string) (binary string, err error) {
	binary = filepath.Join(dir, name)
	args := append(append([]string{"build"}, flags...), "-o", binary, "fairbridge/cmd/fairbridge")
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return binary, nil
}
