package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	"fairbridge/pkg/awstest"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/sqlitedb"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// The secrets, which must never appear in output.
const (
	webhookToken = "sample-token" // that of events/apigateway
	apiKey       = "sample-api-key"
)

// world is everything that the functions connect to, on loopback.
type world struct {
	queues     *embedded.SQS
	work, dead string // queue URLs
	files      string // URL of the files queue
	centercode *centercodesim.Simulator
	testfairy  *testfairysim.Server
	env        map[string]string // of both functions
	// closeConnections closes the connections to the AWS stand-ins.
	closeConnections func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{testfairy: testfairysim.New(testfairysim.Config{})}

	file, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if w.queues, err = embedded.NewSQS(embedded.SQSConfig{DB: file}); err != nil {
		t.Fatal(err)
	}
	parameters, err := embedded.NewSSM(embedded.SSMConfig{DB: file})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{secrets.WebhookToken: webhookToken, secrets.CentercodeAPIKey: apiKey} {
		_, err := parameters.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String(secrets.DefaultPrefix + name), Value: aws.String(value), Type: ssmtypes.ParameterTypeSecureString,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.dead = w.createQueue(t, embedded.Queue{Name: "dead", VisibilityTimeout: time.Minute})
	w.files = w.createQueue(t, embedded.Queue{Name: "files", VisibilityTimeout: time.Minute, MaxReceiveCount: 8, DeadLetterQueue: "dead"})
	w.work = w.createQueue(t, embedded.Queue{Name: "work", VisibilityTimeout: time.Minute, MaxReceiveCount: 8, DeadLetterQueue: "dead"})

	if w.centercode, err = centercodesim.New(centercodesim.Config{APIKeys: []string{apiKey}, Projects: map[string][]string{"DEMO": {"testfairy"}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.centercode.Close() })

	config := fmt.Sprintf(`
sources:
  resolve: {app.testfairy.com: %s}
routes:
  - match: {event: crash}
    project: UNKNOWN
    source: testfairy
    fields: {summary: "{{ .crashMessage }}"}
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {submitter: "{{ .email }}", summary: "{{ .text }}"}
    attachments:
      - {from: "{{ .screenshotUrl }}", element: screenshot}
`, serve(t, w.testfairy.Handler()))
	path := filepath.Join(t.TempDir(), "fairbridge.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	wire, ledger := httptest.NewServer(awstest.Server{
		"AmazonSQS.SendMessage":             awstest.Call(w.queues.SendMessage),
		"AmazonSQS.ChangeMessageVisibility": awstest.Call(w.queues.ChangeMessageVisibility),
		"AmazonSSM.GetParameter":            awstest.Call(parameters.GetParameter),
	}), dynamotest.Start(t, "ledger")
	t.Cleanup(wire.Close)
	w.closeConnections = func() {
		wire.CloseClientConnections()
		ledger.CloseClientConnections()
	}
	w.env = map[string]string{
		"AWS_ENDPOINT_URL_SQS":             wire.URL,
		"AWS_ENDPOINT_URL_SSM":             wire.URL,
		"AWS_ENDPOINT_URL_DYNAMODB":        ledger.URL,
		"FAIRBRIDGE_CONFIG":                path,
		"FAIRBRIDGE_QUEUE_URL":             w.work,
		"FAIRBRIDGE_FILES_QUEUE_URL":       w.files,
		"FAIRBRIDGE_DEAD_LETTER_QUEUE_URL": w.dead,
		"FAIRBRIDGE_LEDGER_TABLE":          "ledger",
		"FAIRBRIDGE_SECRETS_PREFIX":        secrets.DefaultPrefix,
		"FAIRBRIDGE_CENTERCODE_BASE_URL":   serve(t, w.centercode.Handler()),
	}
	return w
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func (w *world) createQueue(t *testing.T, q embedded.Queue) string {
	t.Helper()
	url, err := w.queues.CreateQueue(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// webhook sends a payload of events/ to ingest, as an HTTP API does.
func webhook(t *testing.T, ingest *lambdatest.Function, payload []byte) events.APIGatewayV2HTTPResponse {
	t.Helper()
	var req events.APIGatewayV2HTTPRequest
	text, err := os.ReadFile("../events/apigateway/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &req); err != nil {
		t.Fatal(err)
	}
	req.Body = string(payload)
	var res events.APIGatewayV2HTTPResponse
	invoke(t, ingest, 10*time.Second, req, &res)
	return res
}

func invoke(t *testing.T, f *lambdatest.Function, timeout time.Duration, event, response any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := f.Invoke(ctx, event, response); err != nil {
		t.Fatalf("%v\n%s", err, f.Output())
	}
}

// deliver receives the messages of the work queue and invokes the worker with them as one
// batch, as an event source mapping does. It deletes those that succeeded, and returns how
// many were received and which must be redelivered.
func (w *world) deliver(t *testing.T, worker *lambdatest.Function) (received int, failed []string) {
	t.Helper()
	var batch events.SQSEvent
	for _, m := range w.receive(t, w.work) {
		batch.Records = append(batch.Records, lambdatest.Record(m))
	}
	if len(batch.Records) == 0 {
		return 0, nil
	}
	// The response as it is on the wire: an empty list must not be null.
	var response map[string][]struct{ ItemIdentifier string }
	invoke(t, worker, 60*time.Second, batch, &response)
	failures, ok := response["batchItemFailures"]
	if !ok || failures == nil {
		t.Fatalf("batch response %v has no list of failures", response)
	}
	for _, f := range failures {
		failed = append(failed, f.ItemIdentifier)
	}
	return len(batch.Records), failed
}

func (w *world) receive(t *testing.T, url string) []types.Message {
	t.Helper()
	out, err := w.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(url), MaxNumberOfMessages: 10,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

// deadLetters returns the contents of the dead-letter queue.
func (w *world) deadLetters(t *testing.T) []queue.DeadLetter {
	t.Helper()
	var letters []queue.DeadLetter
	for _, m := range w.receive(t, w.dead) {
		letters = append(letters, queue.ParseDeadLetter(m.MessageAttributes))
	}
	return letters
}
