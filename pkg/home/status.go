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

// Status is what can be told of a bridge. What could not be read is nil or
// empty, and is in Problems.
type Status struct {
	Stack string `json:"stack,omitempty"`
	Data  string `json:"data,omitempty"`
	// Runs says whether the bridge of a data folder runs and answers.
	Runs        *bool       `json:"runs,omitempty"`
	Webhook     string      `json:"webhook,omitempty"` // without the token
	Dashboard   string      `json:"dashboard,omitempty"`
	Work        *QueueDepth `json:"workQueue"`
	DeadLetters *QueueDepth `json:"deadLetterQueue"`
	// Mapping is the one that runs or, of a folder in which no bridge runs, ran
	// last; nil where that is not known.
	Mapping    *MappingStatus   `json:"mapping,omitempty"`
	Secrets    []SecretState    `json:"secrets"`
	Centercode CentercodeStatus `json:"centercode"`
	Deliveries []DeliveryStatus `json:"deliveries"`
	// Partial says that the ledger was too large to be read whole.
	Partial bool `json:"deliveriesPartial,omitempty"`
	// Health is how the Centercode projects are that were ever not well, or paused.
	Health []breaker.State `json:"health,omitempty"`
	// Refused are the last hundred webhooks that were refused, and counts.
	Refused *ingest.Refused `json:"refused,omitempty"`
	// Notes is what passes by itself, and is good to know.
	Notes []string `json:"notes,omitempty"`
	// Problems is what needs a person, each with what to do.
	Problems []string `json:"problems"`

	// letters is the one of the problems that says that there are dead letters.
	letters string
}

// OtherProblems are the problems without the dead letters, for whoever shows those
// themselves.
func (s *Status) OtherProblems() []string {
	return slices.DeleteFunc(slices.Clone(s.Problems), func(p string) bool { return p == s.letters })
}

// CentercodeStatus says whether Centercode answers from this machine.
type CentercodeStatus struct {
	BaseURL string `json:"baseUrl,omitempty"`
	Answers bool   `json:"answers"`
	// Status is the HTTP status, Took the time to the answer, in ms.
	Status int   `json:"status,omitempty"`
	Took   int64 `json:"tookMs,omitempty"`
	// Note says why it was not asked.
	Note string `json:"note,omitempty"`
}

// DeliveryStatus is a delivery as the ledger has it.
type DeliveryStatus struct {
	DeliveryID string        `json:"deliveryId"`
	State      ledger.State  `json:"state"`
	TicketID   string        `json:"ticketId,omitempty"`
	Attempts   int           `json:"attempts"`
	UpdatedAt  time.Time     `json:"updatedAt"`
	Last       *ledger.Fault `json:"last,omitempty"`
}

// StatusOptions are what [Home.Status] is asked.
type StatusOptions struct {
	// Config is the mapping file that has Centercode's address, unless the stack
	// has it. It may be missing.
	Config string
	// TestFairy asks TestFairy what is to be known of it, "" for nothing; nil if there
	// is no account to ask with. That it cannot be asked is no problem: the bridge
	// works without.
	TestFairy func(context.Context) string
	// Last is how many of the last deliveries are told, 0 for none.
	Last int
}

// lookedAt is how many of the deliveries that changed last are looked at for what
// is wrong with those that are still tried: one that is tried changes every 45
// minutes at least.
const lookedAt = 1000

// Status tells how the bridge is, and what needs a person. It asks everything at
// once, changes nothing and receives nothing; what one of those asked cannot
// tell does not keep the others from it.
func (h *Home) Status(ctx context.Context, o StatusOptions) *Status {
	s := &Status{Stack: h.Stack, Webhook: h.Webhook, Dashboard: h.Dashboard, Problems: []string{}}
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
			s.Runs = aws.Bool(answers(ctx, h.Webhook))
		}
		var runs *mapping.Config
		s.Mapping, runs, mappingErr = h.mappingStatus(ctx, o.Config)
		if s.Runs != nil && !*s.Runs {
			runs = nil
		}
		s.Centercode, centercodeErr = h.askCentercode(ctx, runs, o.Config)
	})
	all.Go(func() { f.recent, s.Partial, recentErr = h.recent(ctx, max(o.Last, lookedAt)) })
	all.Go(func() { f.waiting, waitingErr = h.noted(ctx, ledger.AttentionPerson) })
	all.Go(func() { f.nameless, namelessErr = h.noted(ctx, ledger.AttentionNameless) })
	all.Go(func() { f.health, healthErr = h.Health(ctx) })
	all.Go(func() { f.queued, f.letters, queuesErr = h.inQueues(ctx) })
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
		centercodeErr = nil // that is what was said
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

// recent are the deliveries that changed last, the latest first.
func (h *Home) recent(ctx context.Context, limit int) (last []ledger.Entry, partial bool, err error) {
	records, err := h.History.Recent(ctx, limit)
	if partial = errors.Is(err, dynamo.ErrPartial); err != nil && !partial {
		return nil, false, fmt.Errorf("read the ledger: %w", err)
	}
	last, err = entries(records)
	return last, partial, err
}

// noted are the deliveries with an attention of pkg/ledger's.
func (h *Home) noted(ctx context.Context, attention string) ([]ledger.Entry, error) {
	records, err := h.History.Noted(ctx, attention)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return entries(records)
}

func entries(records []ledger.Record) (all []ledger.Entry, err error) {
	for _, r := range records {
		e, err := ledger.Read(r)
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// inQueues are the deliveries that have messages, where that can be seen without
// a receive.
func (h *Home) inQueues(ctx context.Context) (queued, letters map[string]time.Time, err error) {
	if h.Ages == nil {
		return nil, nil, nil
	}
	// Letters first: what is replayed meanwhile is then in both, not in neither.
	letters, err = h.Ages.Deliveries(ctx, h.DeadLetterQueueURL)
	if err == nil {
		queued, err = h.OnTheirWay(ctx)
	}
	return queued, letters, err
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
