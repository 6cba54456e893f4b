package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/functions/lambdatest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// The functions' timeouts in template.yaml. An early deadline costs more than a late one: its
// timer wakes a thread that waits for the network.
const (
	ingestTimeout = 10 * time.Second
	workerTimeout = 900 * time.Second
)

// lab is what all experiments share.
type lab struct {
	root   string // of the module
	folder string // for what is built and stored, on the same disk
	scale  scale
	long   bool // measure what takes minutes, too
}

// scale says how much is measured.
type scale struct {
	judged      bool // whether it is enough to be held against the bounds
	rounds      int
	coldStarts  int           // a round
	warm        int           // invocations a round
	fileBytes   int64         // of the large attachment
	farBytes    int64         // of that over a slow network
	accepts     int           // webhooks a round
	deliveries  int           // from end to end a round
	small, many int           // what is in the ledger and the dead letters
	letters     int           // replayed a round
	looking     time.Duration // at each thing, a round
}

var (
	fullScale = scale{
		judged: true, rounds: 5, coldStarts: 10, warm: 1000, fileBytes: 2 << 30, farBytes: 16 << 20,
		accepts: 12000, deliveries: 1000, small: 1_000, many: 100_000, letters: 10_000, looking: 100 * time.Millisecond,
	}
	// shortScale only shows that everything runs.
	shortScale = scale{
		rounds: 1, coldStarts: 1, warm: 20, fileBytes: 4 << 20, farBytes: 1 << 20,
		accepts: 50, deliveries: 20, small: 10, many: 50, letters: 20,
	}
)

// A deployed package is arm64; what is run here is built for this machine.
const deployedArch = "arm64"

// build builds a command of this module as the Makefile builds the functions,
// for the given processor or, if that is "", this one.
func (l *lab) build(tb testing.TB, importPath, arch string) string {
	binary := filepath.Join(l.folder, "bin", arch, filepath.Base(importPath), "bootstrap")
	args := append([]string{"build"}, lambdatest.BuildFlags...)
	cmd := exec.CommandContext(tb.Context(), "go", append(args, "-o", binary, importPath)...)
	cmd.Dir = l.root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if arch != "" {
		cmd.Env = append(cmd.Env, "GOOS=linux", "GOARCH="+arch)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", importPath, err, out)
	}
	return binary
}

// mappingFile is the one that the bridge runs with here: fairbridge.yaml as it is
// shipped, whatever the user has made of it.
const mappingFile = "pkg/mapping/testdata/shipped.yaml"

// buildFunction builds a function and puts the mapping file beside it, as in
// its package.
func (l *lab) buildFunction(tb testing.TB, importPath string) string {
	binary := l.build(tb, importPath, "")
	if err := os.WriteFile(filepath.Join(filepath.Dir(binary), "fairbridge.yaml"), l.read(tb, mappingFile), 0o600); err != nil {
		tb.Fatal(err)
	}
	return binary
}

// read reads a file of the module.
func (l *lab) read(tb testing.TB, name string) []byte {
	text, err := os.ReadFile(filepath.Join(l.root, name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// apart calls f with a harness of its own, so that what f starts ends with it.
func (l *lab) apart(tb testing.TB, f func(testing.TB)) {
	if err := with(tb.Context(), l.folder, f); err != nil {
		tb.Fatal(err)
	}
}

// environment is that of a function between neighbours.
func environment(tb testing.TB, n *neighbours) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL":                 n.URL,
		"FAIRBRIDGE_QUEUE_URL":             n.URL + "/123456789012/work",
		"FAIRBRIDGE_FILES_QUEUE_URL":       n.URL + "/123456789012/files",
		"FAIRBRIDGE_DEAD_LETTER_QUEUE_URL": n.URL + "/123456789012/dead-letters",
		"FAIRBRIDGE_LEDGER_TABLE":          "ledger",
		"FAIRBRIDGE_SECRETS_PREFIX":        "/fairbridge/",
		"FAIRBRIDGE_CENTERCODE_BASE_URL":   n.URL,
	}
	if n.certificate != nil {
		env["SSL_CERT_FILE"] = trust(tb, n.certificate)
	}
	return env
}

// trust writes a file with a server's certificate and the machine's own, which
// Go reads in place of the latter. To read all of them is part of a start.
func trust(tb testing.TB, certificate *x509.Certificate) string {
	file := filepath.Join(tb.TempDir(), "roots.pem")
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	for _, own := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} { // Debian's, Amazon Linux's
		if text, err := os.ReadFile(own); err == nil {
			roots = append(roots, text...)
			break
		}
	}
	if err := os.WriteFile(file, roots, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// webhook is the documented feedback as an HTTP API hands it over.
func (l *lab) webhook(tb testing.TB) events.APIGatewayV2HTTPRequest {
	var request events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(l.read(tb, "events/apigateway/plain.json"), &request); err != nil {
		tb.Fatal(err)
	}
	return request
}

// feedback is the documented feedback with a text and a screenshot of its own;
// without a screenshot for "".
func (l *lab) feedback(tb testing.TB, text, screenshot string) []byte {
	var fields map[string]any
	if err := json.Unmarshal(l.read(tb, "events/feedback.json"), &fields); err != nil {
		tb.Fatal(err)
	}
	fields["text"], fields["screenshotUrl"] = text, screenshot
	payload, err := json.Marshal(fields)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}

// message is a payload as SQS hands it to the worker.
func message(tb testing.TB, payload []byte) events.SQSEvent {
	event, err := testfairy.Decode(payload)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := queue.Envelope{DeliveryID: event.DeliveryID(), ReceivedAt: time.Now(), Event: event.JSON}.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return batchOf(body)
}

func batchOf(body string) events.SQSEvent {
	return events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: "059f36b4-87a3-44ab-83d2-661975830a7d", ReceiptHandle: "receipt", Body: body,
		Attributes:  map[string]string{"ApproximateReceiveCount": "1"},
		EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-central-1:123456789012:work", AWSRegion: "eu-central-1",
	}}}
}

// invoke hands an event to a function and returns how long its answer took,
// which must not name a failure.
func invoke(tb testing.TB, f *lambdatest.Function, event any) time.Duration {
	tb.Helper()
	timeout := workerTimeout
	if _, webhook := event.(events.APIGatewayV2HTTPRequest); webhook {
		timeout = ingestTimeout
	}
	ctx, cancel := context.WithTimeout(tb.Context(), timeout)
	defer cancel()
	var answer json.RawMessage
	began := time.Now()
	err := f.Invoke(ctx, event, &answer)
	took := time.Since(began)
	if err != nil {
		tb.Fatalf("%v\n%s", err, f.Output())
	}
	if text := string(answer); strings.Contains(text, "itemIdentifier") || strings.Contains(text, `"statusCode":4`) || strings.Contains(text, `"statusCode":5`) {
		tb.Fatalf("the function answered %s\n%s", text, f.Output())
	}
	return took
}
