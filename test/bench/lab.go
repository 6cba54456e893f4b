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

// The functions' timeouts in template.yaml. An early deadline would cost more than a late
// one: its timer wakes a thread that waits for the network.
const (
	ingestTimeout = 10 * time.Second
	workerTimeout = 900 * time.Second
)

// lab is what all experiments share.
type lab struct {
	root   string // of the module
	folder string // for builds and data, all on one disk
	scale  scale
	long   bool // also measure what takes minutes
}

// scale sets how much is measured.
type scale struct {
	judged      bool // whether that is enough to check the bounds
	rounds      int
	coldStarts  int           // a round
	warm        int           // invocations a round
	fileBytes   int64         // of the large attachment
	farBytes    int64         // of the one over a slow network
	accepts     int           // webhooks a round
	deliveries  int           // end to end, a round
	small, many int           // entries in the ledger and dead letters
	letters     int           // replayed a round
	looking     time.Duration // time for each query, a round
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

// Deployed packages are arm64; what runs here is built for this machine.
const deployedArch = "arm64"

// build builds a command of this module with the Makefile's flags for functions, for an
// architecture or, if that is "", for this machine.
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

// mappingFile is the bridge's mapping file in all experiments: fairbridge.yaml as shipped,
// whatever the user has changed.
const mappingFile = "pkg/mapping/testdata/shipped.yaml"

// buildFunction builds a function and puts the mapping file next to it, as in its package.
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

// apart calls f with a separate harness, so that its cleanups run when it returns.
func (l *lab) apart(tb testing.TB, f func(testing.TB)) {
	if err := with(tb.Context(), l.folder, f); err != nil {
		tb.Fatal(err)
	}
}

// environment returns the environment of a function among neighbours.
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

// trust writes a file with a server's certificate and the machine's own ones, which Go
// reads in place of the latter. Reading all of them is part of a start.
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

// webhook returns the documented feedback as an HTTP API passes it to a function.
func (l *lab) webhook(tb testing.TB) events.APIGatewayV2HTTPRequest {
	var request events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(l.read(tb, "events/apigateway/plain.json"), &request); err != nil {
		tb.Fatal(err)
	}
	return request
}

// feedback returns the documented feedback with this text and screenshot; "" for no
// screenshot.
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

// message returns a payload as SQS passes it to the worker.
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

// invoke sends an event to a function and returns how long the response took, which must
// not contain a failure.
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
