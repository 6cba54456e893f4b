//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy"
)

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// payload reads a file of events/.
func (w *world) payload(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.root, "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// feedback is the documented payload with changes, and a text that makes it a new delivery.
func (w *world) feedback(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	fields := map[string]any{}
	if err := json.Unmarshal(w.payload(t, "feedback.json"), &fields); err != nil {
		t.Fatal(err)
	}
	fields["text"] = t.Name() + " " + rand.Text()
	maps.Copy(fields, changes)
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parameter reads a secret of the stack.
func (w *world) parameter(t *testing.T, name string) string {
	t.Helper()
	out, err := w.ssm.GetParameter(t.Context(), w.parameterInput(name, true))
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Parameter.Value)
}

func (w *world) parameterInput(name string, decrypt bool) *ssm.GetParameterInput {
	return &ssm.GetParameterInput{Name: aws.String(secrets.ParameterName(w.stack.SecretsPrefix, name)), WithDecryption: &decrypt}
}

// answer is the webhook's answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request sends a request to the stack's API. The target's host is the webhook's.
func (w *world) request(ctx context.Context, method, target, contentType string, body []byte) (answer, error) {
	base, err := url.Parse(w.stack.WebhookURL)
	if err != nil {
		return answer{}, err
	}
	where, err := base.Parse(target)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, where.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := w.gateway.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, resp.Header, text}, err
}

// webhook returns the URL that TestFairy is given.
func (w *world) webhook(t *testing.T) string {
	t.Helper()
	return w.stack.WebhookURL + "?token=" + w.parameter(t, secrets.WebhookToken)
}

// accept sends a payload that must be accepted, and returns its delivery id.
func (w *world) accept(t *testing.T, payload []byte) string {
	t.Helper()
	got, err := w.request(t.Context(), http.MethodPost, w.webhook(t), "application/json", payload)
	if err != nil {
		t.Fatal(err)
	}
	id := deliveryID(t, payload)
	if want := `{"deliveryId":"` + id + `"}`; got.status != http.StatusAccepted || string(got.body) != want {
		t.Fatalf("answered %d %s, want 202 %s", got.status, got.body, want)
	}
	return id
}

// deliveryID returns the delivery id of a payload.
func deliveryID(t *testing.T, payload []byte) string {
	t.Helper()
	event, err := testfairy.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	return event.DeliveryID()
}

// entry returns a delivery's ledger entry, or the zero value if there is none.
func (w *world) entry(t *testing.T, deliveryID string) (e ledger.Entry) {
	t.Helper()
	record, err := dynamotest.NewStore(t, w.dynamodb, w.stack.LedgerTable).Get(t.Context(), deliveryID)
	if errors.Is(err, ledger.ErrNotFound) {
		return ledger.Entry{}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(record.Doc, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// ticket waits until a delivery is completed, and returns its only ticket.
func (w *world) ticket(t *testing.T, deliveryID string) centercodesim.Ticket {
	t.Helper()
	eventually(t, "delivery "+deliveryID+" is completed", func() bool { return w.entry(t, deliveryID).State == ledger.Completed })
	tickets := w.tickets(deliveryID)
	if len(tickets) != 1 {
		t.Fatalf("the delivery has %d tickets", len(tickets))
	}
	if id := w.entry(t, deliveryID).TicketID; id != tickets[0].ID {
		t.Errorf("the ledger has ticket %s, Centercode %s", id, tickets[0].ID)
	}
	return tickets[0]
}

// tickets returns the tickets of a delivery.
func (w *world) tickets(deliveryID string) (tickets []centercodesim.Ticket) {
	for _, ticket := range w.centercode.Tickets() {
		if ticket.Fields["deliveryId"] == deliveryID {
			tickets = append(tickets, ticket)
		}
	}
	return tickets
}

// creating matches the requests for a delivery's ticket.
func creating(deliveryID string) func(centercodesim.Call) bool {
	return func(c centercodesim.Call) bool { return c.Fields["deliveryId"] == deliveryID }
}

// sameEvent compares the body of a message with the payload that it must carry.
func sameEvent(t *testing.T, m types.Message, payload []byte) {
	t.Helper()
	envelope, err := queue.Decode(aws.ToString(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonical(t, envelope.Event), canonical(t, payload); got != want {
		t.Errorf("the message carries\n%s\nwant\n%s", got, want)
	}
}

// canonical returns a JSON document with sorted keys and without spaces.
func canonical(t *testing.T, document []byte) string {
	t.Helper()
	var value any
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mustRun runs the command, which must succeed, and returns its output.
func (w *world) mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := w.command(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
