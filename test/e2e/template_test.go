// Package e2e compares template.yaml with the code: the functions read what the template
// sets, and their roles allow what they call.
//
// With the build tag e2e (make e2e) it also deploys the template with SAM onto an emulator
// of AWS, and tests the deployed bridge from outside, with the simulators of Centercode and
// TestFairy on this machine. The emulator's gaps are worked around in repair_test.go and in
// emulator_test.go, never in the template.
package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/ingest"
)

// TestEnvironment: a variable that the template sets and nothing reads is a setting without
// effect; one that is read and not set is a function that cannot start.
func TestEnvironment(t *testing.T) {
	parsed := readTemplate(t, "CentercodeBaseUrl=https://beta.example.com")
	var set []string
	for _, name := range []string{"IngestFunction", "WorkerFunction"} {
		for variable := range parsed.Resources[name].Properties.Environment.Variables {
			set = append(set, variable)
		}
	}
	slices.Sort(set)
	set = slices.Compact(set)

	source, err := os.ReadFile("../../functions/internal/env/settings.go")
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, match := range regexp.MustCompile(`"(FAIRBRIDGE_[A-Z_]+)"`).FindAllSubmatch(source, -1) {
		read = append(read, string(match[1]))
	}
	slices.Sort(read)
	if !slices.Equal(set, read) {
		t.Errorf("template.yaml sets\n%q\nthe functions read\n%q", set, read)
	}
}

// TestQueues checks the times that depend on each other.
func TestQueues(t *testing.T) {
	parsed := readTemplate(t)
	work, dead := parsed.Resources["WorkQueue"].Properties, parsed.Resources["DeadLetterQueue"].Properties
	if files := parsed.Resources["FilesQueue"].Properties; files.VisibilityTimeout != work.VisibilityTimeout ||
		files.MessageRetentionPeriod != work.MessageRetentionPeriod || files.MaximumMessageSize != work.MaximumMessageSize {
		t.Errorf("the files queue is not as the work queue: %+v", files)
	}
	if timeout := parsed.Resources["WorkerFunction"].Properties.Timeout; work.VisibilityTimeout <= timeout {
		t.Errorf("a message is visible again after %d s, while the worker may still have it for %d s", work.VisibilityTimeout, timeout)
	}
	// A worker that dies before it claims leaves the message hidden for the whole timeout,
	// each time. SQS moves the message before the queue deletes it.
	if receives := work.RedrivePolicy.MaxReceiveCount; receives != 1000 || receives*work.VisibilityTimeout >= work.MessageRetentionPeriod {
		t.Errorf("%d receives of %d s each, in a queue that keeps messages for %d s", receives, work.VisibilityTimeout, work.MessageRetentionPeriod)
	}
	// Both have the longest time that SQS allows: before the work queue would drop a
	// message, the worker makes a dead letter of it, whose age starts again.
	if dead.MessageRetentionPeriod < work.MessageRetentionPeriod {
		t.Errorf("dead letters live %d s, less than work with %d s", dead.MessageRetentionPeriod, work.MessageRetentionPeriod)
	}
	if work.MaximumMessageSize != 1<<20 || dead.MaximumMessageSize != 1<<20 {
		t.Errorf("messages may have %d and %d bytes, want 1 MiB each", work.MaximumMessageSize, dead.MaximumMessageSize)
	}
}

// TestRoutes: ingest gets every method and path, and answers 405 and 404 itself.
func TestRoutes(t *testing.T) {
	routes := map[string]string{}
	for name, event := range readTemplate(t).Resources["IngestFunction"].Properties.Events {
		if event.Type != "HttpApi" || event.Properties.PayloadFormatVersion != "2.0" {
			t.Errorf("%s is an %s of payload format %q", name, event.Type, event.Properties.PayloadFormatVersion)
		}
		routes[event.Properties.Path] = event.Properties.Method
	}
	// Without a path and a method it is $default, which gets the rest.
	if want := map[string]string{ingest.Path: "ANY", "": ""}; !maps.Equal(routes, want) {
		t.Errorf("routes %q, want %q", routes, want)
	}
}

// TestAccessLog: the token is in the query string, and strangers may send quotation marks
// that would break a line's JSON. So the log format may only use variables that are known
// to have neither.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func TestAccessLog(t *testing.T) {
	known := []string{
		"$context.identity.sourceIp", "$context.integrationErrorMessage", "$context.integrationLatency", "$context.requestId",
		"$context.requestTime", "$context.responseLength", "$context.routeKey", "$context.status",
	}
	format := readTemplate(t).Resources["WebhookApi"].Properties.AccessLogSettings.Format
	logged := regexp.MustCompile(`\$[A-Za-z.]+`).FindAllString(format, -1)
	slices.Sort(logged)
	if !slices.Equal(logged, known) {
		t.Errorf("the access log has\n%q\nknown are\n%q", logged, known)
	}
	if !json.Valid([]byte(format)) {
		t.Errorf("a line is not JSON: %s", format)
	}
}

// TestAlarms: whoever is woken by an alarm must know why, and what to do.
func TestAlarms(t *testing.T) {
	var alarms int
	for name, resource := range readTemplate(t).Resources {
		if resource.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		alarms++
		text := resource.Properties.AlarmDescription
		if !strings.HasPrefix(text, "Why: ") || !strings.Contains(text, " What to do: ") || len(text) > 1024 {
			t.Errorf("%s: %d bytes, want at most 1024 with why and what to do: %s", name, len(text), text)
		}
	}
	if alarms == 0 {
		t.Error("no alarms")
	}
}
