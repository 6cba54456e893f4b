// Package events_test keeps the sample payloads as they are meant to be. Most
// of them are made, in generate_test.go; to make them again:
//
//	go test ./events -update
package events_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

var update = flag.Bool("update", false, "write the generated files")

// documented has the SHA-256 of the payloads that TestFairy's documentation
// shows: nobody may tidy them.
var documented = map[string]string{
	"feedback.json": "e8f321e4674899ce0e32fb4b12e88db1e30ba66830c21e83811bf5543a8f55e9",
	"crash.json":    "4ad02cd48b7af331afcdb741e67c1c820703340e4b2fda18297d6f079d43b535",
	"download.json": "c218bb3aa63d6eafda543536677278faccef8ee8cd937ba09729ddf9f432c7c1",
	"upload.json":   "09d192c198a797703f47de0398cf5f3011715647956f83c2a16909e6bb6d773a",
}

func TestDocumentedPayloadsAreUnchanged(t *testing.T) {
	for name, want := range documented {
		sum := sha256.Sum256(read(t, name))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s was changed: its SHA-256 is %s, was %s", name, got, want)
		}
	}
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for name, want := range generated(t) {
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what generate_test.go makes (%v): go test ./events -update", name, err)
		}
	}
}

// sampleFiles are all *.json files below this folder.
func sampleFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".json") {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryFileHasAnOrigin(t *testing.T) {
	want := slices.Sorted(maps.Keys(documented))
	want = slices.Sorted(slices.Values(slices.AppendSeq(want, maps.Keys(generated(t)))))
	if got := slices.Sorted(slices.Values(sampleFiles(t))); !slices.Equal(got, want) {
		t.Errorf("the files are\n%v, want\n%v", got, want)
	}
}

func TestReadmeListsEveryFile(t *testing.T) {
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+\\.json)` \\|").FindAllStringSubmatch(string(read(t, "README.md")), -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(listed)
	if want := slices.Sorted(slices.Values(sampleFiles(t))); !slices.Equal(listed, want) {
		t.Errorf("README.md lists\n%v, want\n%v", listed, want)
	}
}

// Every payload decodes, and has nothing odd but those below odd/.
func TestPayloads(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "new-platform/upload.json", "new-platform/download.json")
	ids := map[string]string{}
	for _, name := range files {
		event, err := testfairy.Decode(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if odd := event.Odd(); len(odd) > 0 {
			t.Errorf("%s: odd %v", name, odd)
		}
		if kind, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".json"), "-"); name != "new-udid.json" && string(event.Kind) != kind {
			t.Errorf("%s is a %q", name, event.Kind)
		}
		if url := event.Text("screenshotUrl"); url != "" && !regexp.MustCompile(`^https://app\.testfairy\.com/.*\.(jpg|png)$`).MatchString(url) {
			t.Errorf("%s: screenshotUrl %s is not one that the simulator serves", name, url)
		}
		if twin, taken := ids[event.DeliveryID()]; taken {
			t.Errorf("%s and %s have the same delivery id", name, twin)
		}
		ids[event.DeliveryID()] = name
	}
}

func TestOddPayloads(t *testing.T) {
	wantFields := map[string][]string{
		"odd/wrong-types.json": {
			"timestamp", "version", "build", "appName", "filesize", "iconUrl", "buildUrl", "sessionUrl",
			"screenshotUrl", "correlationId", "email", "rawDeviceName", "ipAddress", "text",
		},
		"odd/nothing-said.json":         {"text"},
		"odd/form-without-text.json":    {"text"},
		"odd/email-user-id.json":        {"email"},
		"odd/icon-url-bad-escape.json":  {"iconUrl"},
		"odd/screenshot-url-space.json": nil, // a browser would take it
		"odd/combining-marks.json":      nil,
		"odd/capitals.json":             nil,
		"odd/no-event.json":             nil, // no kind, no documented fields
	}
	files, err := filepath.Glob("odd/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		want, known := wantFields[name]
		if !known {
			t.Errorf("%s: nothing is wrong with it", name)
		}
		event, err := testfairy.Decode(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (event.Kind == testfairy.KindFeedback) != (name != "odd/no-event.json") {
			t.Errorf("%s is a %q", name, event.Kind)
		}
		var got []string
		for _, o := range event.Odd() {
			got = append(got, o.Field)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: odd fields %v, want %v", name, got, want)
		}
	}
}

func TestInvalidPayloads(t *testing.T) {
	files, err := filepath.Glob("invalid/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		_, err := testfairy.Decode(read(t, name))
		if syntax, ok := errors.AsType[*testfairy.SyntaxError](err); !ok || syntax.TooDeep != (name == "invalid/nested-too-deep.json") {
			t.Errorf("%s: error = %v, want a *SyntaxError", name, err)
		}
	}
}

// decodeStrictly decodes a file and refuses fields that the type has not.
func decodeStrictly(t *testing.T, name string, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(read(t, name)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestAPIGatewayEvents(t *testing.T) {
	for name, payload := range map[string]string{
		"apigateway/plain.json": "feedback.json", "apigateway/base64.json": "feedback-control-characters.json",
	} {
		var request events.APIGatewayV2HTTPRequest
		decodeStrictly(t, name, &request)
		if request.Version != "2.0" || request.RouteKey != "POST /webhooks/testfairy" || request.QueryStringParameters["token"] == "" {
			t.Errorf("%s: version %q, route %q", name, request.Version, request.RouteKey)
		}
		body := []byte(request.Body)
		if request.IsBase64Encoded {
			var err error
			if body, err = base64.StdEncoding.DecodeString(request.Body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !bytes.Equal(body, read(t, payload)) {
			t.Errorf("%s: its body is not %s", name, payload)
		}
	}
}

func TestSQSEvents(t *testing.T) {
	for name, payloads := range map[string][]string{ // "": not ours
		"sqs/single.json": {"feedback.json"},
		"sqs/batch.json":  {"feedback.json", "crash.json", "", "feedback-control-characters.json"},
	} {
		var batch events.SQSEvent
		decodeStrictly(t, name, &batch)
		if len(batch.Records) != len(payloads) {
			t.Fatalf("%s: %d records, want %d", name, len(batch.Records), len(payloads))
		}
		for i, payload := range payloads {
			message := batch.Records[i]
			envelope, err := queue.Decode(message.Body)
			if payload == "" {
				if !errors.Is(err, queue.ErrMalformed) {
					t.Errorf("%s record %d: error = %v, want ErrMalformed", name, i, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s record %d: %v", name, i, err)
				continue
			}
			want, err := testfairy.Decode(read(t, payload))
			if err != nil {
				t.Fatal(err)
			}
			got, err := testfairy.Decode(envelope.Event)
			if err != nil || got.DeliveryID() != want.DeliveryID() || envelope.DeliveryID != want.DeliveryID() || !envelope.ReceivedAt.Equal(received) {
				t.Errorf("%s record %d is not %s (%v)", name, i, payload, err)
			}
			if id := message.MessageAttributes["deliveryId"].StringValue; id == nil || *id != want.DeliveryID() {
				t.Errorf("%s record %d has another delivery id in its attributes", name, i)
			}
		}
	}
}
