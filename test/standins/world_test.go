//go:build e2e

package standins

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"fairbridge/functions/lambdatest"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/secrets"
)

const (
	webhookToken = "sample-token" // the token in events/apigateway
	apiKey       = "sample-api-key"
	patience     = 2 * time.Minute
)

// invoke invokes a function with an event, and decodes its answer.
type invoke func(ctx context.Context, event, response any) error

// world is the bridge of a test, in the shared account.
type world struct {
	work, dead string // queue URLs
	centercode *centercodesim.Server
	config     string // path of its fairbridge.yaml
	env        map[string]string
	ingest     invoke
	worker     invoke
}

// newWorld makes queues with a maxReceiveCount of three, a ledger, the secrets and a
// Centercode.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{config: filepath.Join(t.TempDir(), "fairbridge.yaml")}
	w.work, w.dead = queuePair(t, map[string]string{"VisibilityTimeout": "930"}, 3)
	prefix := "/standins-" + rand.Text() + "/"
	for name, value := range map[string]string{secrets.WebhookToken: webhookToken, secrets.CentercodeAPIKey: apiKey} {
		_, err := account.ssm.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String(prefix + name), Value: &value, Type: ssmtypes.ParameterTypeSecureString,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.centercode, err = centercodesim.Start(t.Context(), centercodesim.Config{APIKeys: []string{apiKey}, Projects: map[string][]string{"DEMO": {"testfairy"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.centercode.Close() })
	const routes = `
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}"}
`
	if err := os.WriteFile(w.config, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = maps.Clone(account.env)
	maps.Copy(w.env, map[string]string{
		"FAIRBRIDGE_CONFIG": w.config, "FAIRBRIDGE_QUEUE_URL": w.work, "FAIRBRIDGE_FILES_QUEUE_URL": w.work + "-files", "FAIRBRIDGE_DEAD_LETTER_QUEUE_URL": w.dead,
		"FAIRBRIDGE_LEDGER_TABLE": createTable(t), "FAIRBRIDGE_SECRETS_PREFIX": prefix, "FAIRBRIDGE_CENTERCODE_BASE_URL": w.centercode.URL,
	})
	return w
}

// send sends a feedback to ingest.
func (w *world) send(t *testing.T, text string) {
	t.Helper()
	var req events.APIGatewayV2HTTPRequest
	sample, err := os.ReadFile(filepath.Join(root, "events", "apigateway", "plain.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(sample, &req); err != nil {
		t.Fatal(err)
	}
	req.Body = fmt.Sprintf(`{"event":"feedback","text":%q}`, text)
	var res events.APIGatewayV2HTTPResponse
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.ingest(ctx, req, &res); err != nil || res.StatusCode != 202 {
		t.Fatalf("answer %d %s, %v", res.StatusCode, res.Body, err)
	}
}

// receive receives up to ten messages of a queue.
func receive(t *testing.T, queueURL string) []types.Message {
	t.Helper()
	out, err := account.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &queueURL, MaxNumberOfMessages: 10,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

// deliver passes one batch of the work queue to the worker, as an event source mapping
// does, and deletes the completed messages. It returns the size of the batch.
func (w *world) deliver(t *testing.T) int {
	t.Helper()
	var batch events.SQSEvent
	handles := map[string]*string{}
	for _, m := range receive(t, w.work) {
		batch.Records = append(batch.Records, lambdatest.Record(m))
		handles[aws.ToString(m.MessageId)] = m.ReceiptHandle
	}
	if len(batch.Records) == 0 {
		return 0
	}
	var response events.SQSEventResponse
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.worker(ctx, batch, &response); err != nil {
		t.Fatal(err)
	}
	for _, failed := range response.BatchItemFailures {
		delete(handles, failed.ItemIdentifier)
	}
	for _, handle := range handles {
		if _, err := account.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.work, ReceiptHandle: handle}); err != nil {
			t.Fatal(err)
		}
	}
	return len(batch.Records)
}

// depth returns the number of messages in a queue, in-flight ones included.
func depth(t *testing.T, queueURL string) string {
	t.Helper()
	out, err := account.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &queueURL, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes["ApproximateNumberOfMessages"] + "+" + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

// eventually repeats do until ok holds.
func eventually(t *testing.T, what string, do func(), ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); do() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// summaries counts the tickets by their summary.
func (w *world) summaries() map[string]int {
	counts := map[string]int{}
	for _, ticket := range w.centercode.Tickets() {
		counts[fmt.Sprint(ticket.Fields["summary"])]++
	}
	return counts
}
