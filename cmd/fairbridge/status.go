package main

import (
	"cmp"
	"context"
	"encoding/json"
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
	"github.com/spf13/cobra"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
)

// answerTimeout is what Centercode, or a bridge on this machine, has to answer
// whether it is there.
const answerTimeout = 10 * time.Second

func newStatus(std streams) *cobra.Command {
	var at place
	var config string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the bridge is, and what needs a person",
		Long: `Shows the queues, the dead letters, the secrets, whether Centercode answers from
here (no key is sent), and the last deliveries. Nothing is changed, and nothing
is received from the work queue. The exit code is 1 if something needs a person:
dead letters, a missing secret, a Centercode that does not answer.`,
		Example: `  fairbridge status
  fairbridge status --stack fairbridge-prod --region eu-central-1
  fairbridge status --stack fairbridge-prod --json | jq .problems`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 || limit > 1000 {
				return usage("--last must be 0 to 1000")
			}
			t, err := at.open(cmd.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			s := t.status(cmd.Context(), &at, config, limit)
			if asJSON {
				enc := json.NewEncoder(std.out)
				enc.SetIndent("", "  ")
				err = enc.Encode(s)
			} else {
				err = s.write(std.out, time.Now())
			}
			if err == nil && len(s.Problems) > 0 {
				err = errSaid
			}
			return err
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&config, "config", defaultConfig, "where centercode.baseUrl is, unless the stack has it")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	cmd.Flags().IntVar(&limit, "last", 10, "how many of the last deliveries to show")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// status is what can be told of a bridge. What could not be read is nil or
// empty, and is in Problems.
type status struct {
	Stack string `json:"stack,omitempty"`
	Data  string `json:"data,omitempty"`
	// Runs says whether the bridge of a data folder runs.
	Runs        *bool            `json:"runs,omitempty"`
	Webhook     string           `json:"webhook,omitempty"` // without the token
	Dashboard   string           `json:"dashboard,omitempty"`
	Work        *queueDepth      `json:"workQueue"`
	DeadLetters *queueDepth      `json:"deadLetterQueue"`
	Secrets     []secretState    `json:"secrets"`
	Centercode  centercodeStatus `json:"centercode"`
	Deliveries  []deliveryStatus `json:"deliveries"`
	// Partial says that the ledger was too large to be read whole.
	Partial bool `json:"deliveriesPartial,omitempty"`
	// Problems is what needs a person, each with what to do.
	Problems []string `json:"problems"`
}

// queueDepth is what SQS says is in a queue, approximately.
type queueDepth struct {
	Waiting int `json:"waiting"`
	InWork  int `json:"inWork"`
	Delayed int `json:"delayed"`
	// Oldest is when the oldest message was sent, where that can be known.
	Oldest time.Time `json:"oldest,omitzero"`
}

func (q *queueDepth) total() int { return q.Waiting + q.InWork + q.Delayed }

type centercodeStatus struct {
	BaseURL string `json:"baseUrl,omitempty"`
	Answers bool   `json:"answers"`
	// Status is the HTTP status, Took the time to the answer, in ms.
	Status int   `json:"status,omitempty"`
	Took   int64 `json:"tookMs,omitempty"`
	// Note says why it was not asked.
	Note string `json:"note,omitempty"`
}

// deliveryStatus is a delivery as the ledger has it.
type deliveryStatus struct {
	DeliveryID string        `json:"deliveryId"`
	State      ledger.State  `json:"state"`
	TicketID   string        `json:"ticketId,omitempty"`
	Attempts   int           `json:"attempts"`
	UpdatedAt  time.Time     `json:"updatedAt"`
	Last       *ledger.Fault `json:"last,omitempty"`
}

// status asks everything at once; what one of them cannot tell does not keep
// the others from it.
func (t *target) status(ctx context.Context, at *place, config string, limit int) *status {
	s := &status{Stack: at.stack, Webhook: t.Webhook, Dashboard: t.Dashboard, Problems: []string{}}
	if !t.onAWS {
		s.Data = at.data
	}
	var workErr, deadErr, secretsErr, centercodeErr, historyErr error
	var all sync.WaitGroup
	all.Go(func() { s.Work, workErr = t.depth(ctx, t.WorkQueueURL) })
	all.Go(func() { s.DeadLetters, deadErr = t.depth(ctx, t.DeadLetterQueueURL) })
	all.Go(func() { s.Secrets, secretsErr = t.secretStates(ctx) })
	all.Go(func() { s.Centercode, centercodeErr = t.askCentercode(ctx, config) })
	all.Go(func() { s.Deliveries, s.Partial, historyErr = t.deliveries(ctx, limit) })
	all.Go(func() {
		if !t.onAWS {
			s.Runs = aws.Bool(listens(ctx, t.Webhook))
		}
	})
	all.Wait()

	if s.DeadLetters != nil && s.DeadLetters.total() > 0 {
		s.problem("%s: %s", count(s.DeadLetters.total(), "dead letter"), at.command("dlq list"))
	}
	for _, secret := range s.Secrets {
		// A bridge that runs here would not have started without: it has the
		// secret in its own environment.
		if running := s.Runs != nil && *s.Runs; !secret.Exists && !running && t.needs(secret.Name, s.Centercode.BaseURL) {
			how := "secrets put " + secret.Name
			if secret.Name == secrets.WebhookToken {
				how += " --generate"
			}
			s.problem("%s is missing: %s", secret.Name, at.command(how))
		}
	}
	for _, err := range []error{centercodeErr, workErr, deadErr, secretsErr, historyErr} {
		if err != nil {
			s.problem("%v", err)
		}
	}
	return s
}

func (s *status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

// needs says whether the bridge cannot do without a secret. One on this machine
// makes the webhook's token itself when it starts, and its simulator takes no key.
func (t *target) needs(name, baseURL string) bool {
	switch name {
	case secrets.WebhookToken:
		return t.onAWS
	case secrets.CentercodeAPIKey:
		return t.onAWS || baseURL != ""
	}
	return false
}

func (t *target) depth(ctx context.Context, queueURL string) (*queueDepth, error) {
	wanted := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := t.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(queueURL), AttributeNames: wanted})
	if err != nil {
		return nil, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	var q queueDepth
	for i, n := range []*int{&q.Waiting, &q.InWork, &q.Delayed} {
		if *n, err = strconv.Atoi(out.Attributes[string(wanted[i])]); err != nil {
			return nil, fmt.Errorf("count the messages of %s: %s is not a number", queueURL, wanted[i])
		}
	}
	if t.Ages != nil {
		q.Oldest, err = t.Ages.Oldest(ctx, queueURL)
	}
	return &q, err
}

// askCentercode finds out whether the site answers from this machine. Any answer
// below 500 will do: the path and the key are the worker's business.
func (t *target) askCentercode(ctx context.Context, config string) (centercodeStatus, error) {
	s := centercodeStatus{BaseURL: t.CentercodeBaseURL}
	if s.BaseURL == "" {
		c, err := mapping.Load(config)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Note = "not asked: its address is in fairbridge.yaml, and there is no " + config + " here (--config)"
			return s, nil
		case err != nil:
			s.Note = "not asked: " + config + " has mistakes (fairbridge check --config " + config + ")"
			return s, nil
		case c.Centercode.BaseURL == "" && t.onAWS:
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

// deliveries are those that changed last, the latest first.
func (t *target) deliveries(ctx context.Context, limit int) (last []deliveryStatus, partial bool, err error) {
	last = []deliveryStatus{}
	if limit == 0 {
		return last, false, nil
	}
	records, err := t.History.Recent(ctx, limit)
	if partial = errors.Is(err, dynamo.ErrPartial); err != nil && !partial {
		return last, false, fmt.Errorf("read the ledger: %w", err)
	}
	for _, r := range records {
		var e ledger.Entry
		if err := json.Unmarshal(r.Doc, &e); err != nil {
			return last, partial, fmt.Errorf("read the ledger's entry of delivery %s: %w", r.ID, err)
		}
		last = append(last, deliveryStatus{
			DeliveryID: cmp.Or(e.DeliveryID, r.ID), State: e.State, TicketID: e.TicketID,
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
