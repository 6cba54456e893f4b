package home

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/mapping"
)

// Status is the state of a bridge. What could not be read is nil or empty, and listed in
// Problems.
type Status struct {
	Stack string `json:"stack,omitempty"`
	Data  string `json:"data,omitempty"`
	// Runs reports whether the bridge of a data folder runs and answers.
	Runs        *bool       `json:"runs,omitempty"`
	Webhook     string      `json:"webhook,omitempty"` // without the token
	Dashboard   string      `json:"dashboard,omitempty"`
	Work        *QueueDepth `json:"workQueue"`
	DeadLetters *QueueDepth `json:"deadLetterQueue"`
	// Mapping is the one that runs or, in a folder without a running bridge, last ran; nil
	// if unknown.
	Mapping    *MappingStatus   `json:"mapping,omitempty"`
	Secrets    []SecretState    `json:"secrets"`
	Centercode CentercodeStatus `json:"centercode"`
	Deliveries []DeliveryStatus `json:"deliveries"`
	// Partial means that the ledger was too large to be read completely.
	Partial bool `json:"deliveriesPartial,omitempty"`
	// Health is the breaker state of the Centercode projects that were ever open or paused.
	Health []breaker.State `json:"health,omitempty"`
	// Refused are the last hundred refused webhooks, and counts.
	Refused *ingest.Refused `json:"refused,omitempty"`
	// Notes are useful to know, and need nobody.
	Notes []string `json:"notes,omitempty"`
	// Problems need a person. Each says what to do.
	Problems []string `json:"problems"`

	// letters is the problem about dead letters.
	letters string
}

// OtherProblems returns the problems except that about dead letters, for callers that show
// those themselves.
func (s *Status) OtherProblems() []string {
	return slices.DeleteFunc(slices.Clone(s.Problems), func(p string) bool { return p == s.letters })
}

// CentercodeStatus is whether Centercode answers from this machine.
type CentercodeStatus struct {
	BaseURL string `json:"baseUrl,omitempty"`
	Answers bool   `json:"answers"`
	// Status is the HTTP status, Took the time until the answer, in ms.
	Status int   `json:"status,omitempty"`
	Took   int64 `json:"tookMs,omitempty"`
	// Note is why no request was sent.
	Note string `json:"note,omitempty"`
	// Simulator means that tickets go to the simulator: the mapping has no address.
	Simulator bool `json:"simulator,omitempty"`
}

// DeliveryStatus is a delivery's ledger entry in short.
type DeliveryStatus struct {
	DeliveryID string        `json:"deliveryId"`
	State      ledger.State  `json:"state"`
	TicketID   string        `json:"ticketId,omitempty"`
	Attempts   int           `json:"attempts"`
	UpdatedAt  time.Time     `json:"updatedAt"`
	Last       *ledger.Fault `json:"last,omitempty"`
}

// StatusOptions are the options of [Home.Status].
type StatusOptions struct {
	// Config is the mapping file with Centercode's address, unless the stack has it. It may
	// be missing.
	Config string
	// TestFairy returns news about TestFairy, "" if there are none; nil if there is no
	// account. It is not a problem if it fails: the bridge works without it.
	TestFairy func(context.Context) string
	// Last is how many of the last deliveries to list, 0 for none.
	Last int
}

// lookedAt is how many of the last changed deliveries are checked for problems of those
// that are still being tried: such a delivery changes at least every 45 minutes.
const lookedAt = 1000

// Status returns the state of the bridge, and what needs a person. It reads everything
// concurrently, changes nothing and receives nothing; a part that fails does not affect the
// others.
func (h *Home) Status(ctx context.Context, o StatusOptions) *Status {
	s := &Status{Stack: h.Stack, Webhook: h.Webhook(), Dashboard: h.Dashboard, Problems: []string{}}
	if !h.OnAWS() {
		s.Data = h.Folder
	}
	var f findings
	var workErr, deadErr, secretsErr, mappingErr, centercodeErr, recentErr, waitingErr, namelessErr, healthErr, queuesErr, refusedErr, tableErr error
	var all sync.WaitGroup
	all.Go(func() { s.Work, workErr = h.WorkDepth(ctx) })
	all.Go(func() { s.DeadLetters, deadErr = h.Depth(ctx, h.DeadLetterQueueURL) })
	all.Go(func() { s.Secrets, secretsErr = h.Secrets(ctx) })
	all.Go(func() {
		if !h.OnAWS() {
			s.Runs = aws.Bool(answers(ctx, s.Webhook))
		}
		var runs *mapping.Config
		s.Mapping, runs, mappingErr = h.mappingStatus(ctx, o.Config)
		if s.Runs != nil && !*s.Runs {
			runs = nil
		}
		s.Centercode, centercodeErr = h.askCentercode(ctx, runs, o.Config)
	})
	all.Go(func() { f.recent, s.Partial, recentErr = h.recent(ctx, max(o.Last, lookedAt)) })
	all.Go(func() { f.waiting, waitingErr = h.Noted(ctx, ledger.AttentionPerson) })
	all.Go(func() { f.nameless, namelessErr = h.Noted(ctx, ledger.AttentionNameless) })
	all.Go(func() { f.health, healthErr = h.Health(ctx) })
	all.Go(func() { f.queued, f.letters, queuesErr = h.InQueues(ctx) })
	all.Go(func() { s.Refused, refusedErr = h.refused(ctx) })
	all.Go(func() { f.lacks, tableErr = h.TableLacks(ctx) })
	var testFairy string
	all.Go(func() {
		if o.TestFairy != nil {
			testFairy = o.TestFairy(ctx)
		}
	})
	all.Wait()
	if testFairy != "" {
		s.Notes = append(s.Notes, testFairy)
	}

	s.Deliveries, s.Health = deliveries(f.recent, o.Last), f.health
	if h.problems(s, f, time.Now()) {
		centercodeErr = nil // the breaker has reported it already
	}
	for _, err := range []error{mappingErr, centercodeErr, workErr, deadErr, secretsErr, recentErr, waitingErr, namelessErr, healthErr, queuesErr, refusedErr, tableErr} {
		if err != nil {
			s.problem("%v", err)
		}
	}
	return s
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (h *Home) refused(ctx context.Context) (*ingest.Refused, error) {
	r, err := h.Refusals.Refused(ctx)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// recent returns the last changed deliveries, the latest first.
func (h *Home) recent(ctx context.Context, limit int) (last []ledger.Entry, partial bool, err error) {
	records, err := h.History.Recent(ctx, limit)
	if partial = errors.Is(err, dynamo.ErrPartial); err != nil && !partial {
		return nil, false, fmt.Errorf("read the ledger: %w", err)
	}
	last, err = ledger.ReadAll(records)
	return last, partial, err
}

// Noted returns the deliveries with an attention of pkg/ledger, the oldest first. On AWS it
// is eventually consistent.
func (h *Home) Noted(ctx context.Context, attention string) ([]ledger.Entry, error) {
	records, err := h.History.Noted(ctx, attention)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return ledger.ReadAll(records)
}

func deliveries(recent []ledger.Entry, most int) []DeliveryStatus {
	last := []DeliveryStatus{}
	for _, e := range recent[:min(most, len(recent))] {
		last = append(last, DeliveryStatus{
			DeliveryID: e.DeliveryID, State: e.State, TicketID: e.TicketID,
			Attempts: e.Attempts, UpdatedAt: e.UpdatedAt, Last: e.Last,
		})
	}
	return last
}
