package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

// answerTimeout is what Centercode, or a bridge on this machine, has to answer
// whether it is there.
const answerTimeout = 10 * time.Second

// Status is what can be told of a bridge. What could not be read is nil or
// empty, and is in Problems.
type Status struct {
	Stack string `json:"stack,omitempty"`
	Data  string `json:"data,omitempty"`
	// Runs says whether the bridge of a data folder runs.
	Runs        *bool            `json:"runs,omitempty"`
	Webhook     string           `json:"webhook,omitempty"` // without the token
	Dashboard   string           `json:"dashboard,omitempty"`
	Work        *QueueDepth      `json:"workQueue"`
	DeadLetters *QueueDepth      `json:"deadLetterQueue"`
	Secrets     []SecretState    `json:"secrets"`
	Centercode  CentercodeStatus `json:"centercode"`
	Deliveries  []DeliveryStatus `json:"deliveries"`
	// Partial says that the ledger was too large to be read whole.
	Partial bool `json:"deliveriesPartial,omitempty"`
	// Refused are the last hundred webhooks that were refused, and counts.
	Refused *ingest.Refused `json:"refused,omitempty"`
	// Notes is what passes by itself, and is good to know.
	Notes []string `json:"notes,omitempty"`
	// Problems is what needs a person, each with what to do.
	Problems []string `json:"problems"`
}

// QueueDepth is what SQS says is in a queue, approximately.
type QueueDepth struct {
	Waiting int `json:"waiting"`
	InWork  int `json:"inWork"`
	Delayed int `json:"delayed"`
	// Oldest is when the oldest message was sent, where that can be known.
	Oldest time.Time `json:"oldest,omitzero"`
}

// Total is how many messages are in the queue.
func (q *QueueDepth) Total() int { return q.Waiting + q.InWork + q.Delayed }

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
	// Last is how many of the last deliveries are told, 0 for none.
	Last int
}

// Status tells how the bridge is, and what needs a person. It asks everything at
// once, changes nothing and receives nothing; what one of those asked cannot
// tell does not keep the others from it.
func (h *Home) Status(ctx context.Context, o StatusOptions) *Status {
	s := &Status{Stack: h.Stack, Webhook: h.Webhook, Dashboard: h.Dashboard, Problems: []string{}}
	if !h.OnAWS() {
		s.Data = h.Folder
	}
	var workErr, deadErr, secretsErr, centercodeErr, historyErr, refusedErr, healthErr error
	var health []breaker.State
	var all sync.WaitGroup
	all.Go(func() { s.Work, workErr = h.Depth(ctx, h.WorkQueueURL) })
	all.Go(func() { s.DeadLetters, deadErr = h.Depth(ctx, h.DeadLetterQueueURL) })
	all.Go(func() { s.Secrets, secretsErr = h.Secrets(ctx) })
	all.Go(func() { s.Centercode, centercodeErr = h.askCentercode(ctx, o.Config) })
	all.Go(func() { s.Deliveries, s.Partial, historyErr = h.deliveries(ctx, o.Last) })
	all.Go(func() { health, healthErr = h.health(ctx) })
	all.Go(func() { s.Refused, refusedErr = h.refused(ctx) })
	all.Go(func() {
		if !h.OnAWS() {
			s.Runs = aws.Bool(listens(ctx, h.Webhook))
		}
	})
	all.Wait()

	if s.tellHealth(h, health, time.Now()) {
		centercodeErr = nil // that is what was said
	}
	if s.DeadLetters != nil && s.DeadLetters.Total() > 0 {
		s.problem("%s: %s", terminal.Count(s.DeadLetters.Total(), "dead letter"), h.Command("dlq list"))
	}
	for _, secret := range s.Secrets {
		// A bridge that runs here would not have started without: it has the
		// secret in its own environment.
		if running := s.Runs != nil && *s.Runs; !secret.Exists && !running && h.needs(secret.Name, s.Centercode.BaseURL) {
			how := "secrets put " + secret.Name
			if secret.Name == secrets.WebhookToken {
				how += " --generate"
			}
			s.problem("%s is missing: %s", secret.Name, h.Command(how))
		}
	}
	if s.Refused != nil {
		if text := h.refusedProblem(*s.Refused, time.Now()); text != "" {
			s.problem("%s", text)
		}
	}
	for _, err := range []error{centercodeErr, workErr, deadErr, secretsErr, historyErr, refusedErr, healthErr} {
		if err != nil {
			s.problem("%v", err)
		}
	}
	return s
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

// needs says whether the bridge cannot do without a secret. One on this machine
// makes the webhook's token itself when it starts, and its simulator takes no key.
func (h *Home) needs(name, baseURL string) bool {
	switch name {
	case secrets.WebhookToken:
		return h.OnAWS()
	case secrets.CentercodeAPIKey:
		return h.OnAWS() || baseURL != ""
	}
	return false
}

// Depth counts the messages of a queue.
func (h *Home) Depth(ctx context.Context, queueURL string) (*QueueDepth, error) {
	wanted := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := h.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(queueURL), AttributeNames: wanted})
	if err != nil {
		return nil, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	var q QueueDepth
	for i, n := range []*int{&q.Waiting, &q.InWork, &q.Delayed} {
		if *n, err = strconv.Atoi(out.Attributes[string(wanted[i])]); err != nil {
			return nil, fmt.Errorf("count the messages of %s: %s is not a number", queueURL, wanted[i])
		}
	}
	if h.Ages != nil {
		q.Oldest, err = h.Ages.Oldest(ctx, queueURL)
	}
	return &q, err
}

// askCentercode finds out whether the site answers from this machine. Any answer
// below 500 will do: the path and the key are the worker's business.
func (h *Home) askCentercode(ctx context.Context, config string) (CentercodeStatus, error) {
	s := CentercodeStatus{BaseURL: h.CentercodeBaseURL}
	if s.BaseURL == "" {
		c, err := mapping.Load(config)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Note = "not asked: its address is in fairbridge.yaml, and there is no " + config + " here (--config)"
			return s, nil
		case err != nil:
			s.Note = "not asked: " + config + " has mistakes (fairbridge check --config " + config + ")"
			return s, nil
		case c.Centercode.BaseURL == "" && h.OnAWS():
			s.Note = "none is configured"
			return s, fmt.Errorf("no Centercode is configured: deploy with the parameter CentercodeBaseUrl, or with centercode.baseUrl in %s", config)
		case c.Centercode.BaseURL == "":
			s.Note = "none is configured in " + config + ": tickets go to the simulator"
			return s, nil
		}
		s.BaseURL = c.Centercode.BaseURL
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.BaseURL+"/", nil)
	if err != nil {
		return s, fmt.Errorf("the address of Centercode, %q, is not a URL", s.BaseURL)
	}
	transport := centercode.NewTransport()
	defer transport.CloseIdleConnections()
	start := time.Now()
	resp, err := (&http.Client{Transport: transport, CheckRedirect: noRedirects.CheckRedirect}).Do(req)
	if err != nil {
		if where, ok := errors.AsType[*url.Error](err); ok {
			err = where.Err
		}
		return s, fmt.Errorf("no answer from Centercode at %s: %w", s.BaseURL, err)
	}
	defer resp.Body.Close() // the page itself does not matter
	s.Status, s.Took = resp.StatusCode, time.Since(start).Milliseconds()
	if s.Answers = resp.StatusCode < http.StatusInternalServerError; !s.Answers {
		return s, fmt.Errorf("no good answer from Centercode at %s: HTTP %d", s.BaseURL, resp.StatusCode)
	}
	return s, nil
}

func (h *Home) refused(ctx context.Context) (*ingest.Refused, error) {
	r, err := h.Refusals.Refused(ctx)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// deliveries are those that changed last, the latest first.
func (h *Home) deliveries(ctx context.Context, limit int) (last []DeliveryStatus, partial bool, err error) {
	last = []DeliveryStatus{}
	if limit == 0 {
		return last, false, nil
	}
	records, err := h.History.Recent(ctx, limit)
	if partial = errors.Is(err, dynamo.ErrPartial); err != nil && !partial {
		return last, false, fmt.Errorf("read the ledger: %w", err)
	}
	for _, r := range records {
		e, err := ledger.Read(r)
		if err != nil {
			return last, partial, err
		}
		last = append(last, DeliveryStatus{
			DeliveryID: e.DeliveryID, State: e.State, TicketID: e.TicketID,
			Attempts: e.Attempts, UpdatedAt: e.UpdatedAt, Last: e.Last,
		})
	}
	return last, partial, nil
}

// listens says whether somebody takes connections where a bridge on this
// machine said it listens: the note of one that was killed stays.
func listens(ctx context.Context, webhook string) bool {
	u, err := url.Parse(webhook)
	if err != nil || u.Host == "" {
		return false
	}
	conn, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
