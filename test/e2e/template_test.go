// Package e2e holds template.yaml against the code: what the functions read is
// what the template sets, and what they call is what their roles allow.
//
// With the build tag e2e (make e2e) it also deploys the template with SAM onto an
// emulator of AWS, and drives the deployed bridge from outside, with the
// simulators of Centercode and TestFairy on this machine. What the emulator
// cannot do is worked round in mend_test.go and in emulator_test.go, never in the
// template.
package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

// template is the part of template.yaml that the tests look at. Intrinsic
// functions are read as their arguments: !Ref WorkQueue is "WorkQueue".
type template struct {
	Resources map[string]struct {
		Type       string
		Properties properties
	}
}

type properties struct {
	Environment struct{ Variables map[string]any }
	Policies    []struct {
		PolicyName     string
		PolicyDocument struct{ Statement []statement }
	}
	Timeout, VisibilityTimeout int
	MessageRetentionPeriod     int
	MaximumMessageSize         int
	AlarmDescription           string
	AccessLogSettings          struct{ Format string }
	DashboardBody              string
	Events                     map[string]struct {
		Type       string
		Properties struct{ Method, Path, PayloadFormatVersion string }
	}
	TreatMissingData string
}

type statement struct {
	Sid      string
	Effect   string
	Action   list
	Resource list
	// Condition is operator, key, values.
	Condition map[string]map[string]list
}

// list is a string or a list of strings.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

func readTemplate(t *testing.T) template {
	t.Helper()
	data, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var parsed template
	var anything map[string]any
	if err := yaml.Unmarshal(data, &anything); err != nil {
		t.Fatal(err)
	}
	// By way of JSON, whose keys are the fields' names as they are.
	if data, err = json.Marshal(anything); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestEnvironment: a variable that the template sets and nothing reads is a
// setting without effect; one that is read and not set is a function that
// cannot start.
func TestEnvironment(t *testing.T) {
	parsed := readTemplate(t)
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

// TestPermissions: a role allows what its function calls and nothing else. The
// interfaces through which the code uses AWS list the calls.
func TestPermissions(t *testing.T) {
	// Made in the role's name by Lambda: the event source mapping, logs, traces.
	logs := []string{"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
	mapping := []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}

	parsed := readTemplate(t)
	for role, calls := range map[string][]string{
		"IngestRole": slices.Concat(logs, actions[secrets.API]("ssm"), actions[ingest.Sender]("sqs")),
		"WorkerRole": slices.Concat(logs, mapping,
			actions[secrets.API]("ssm"), actions[worker.Queue]("sqs"), actions[dynamo.API]("dynamodb")),
	} {
		var allowed []string
		for _, policy := range parsed.Resources[role].Properties.Policies {
			for _, s := range policy.PolicyDocument.Statement {
				allowed = append(allowed, s.Action...)
				if s.Sid == "" || s.Effect != "Allow" {
					t.Errorf("%s, policy %s: a statement has Sid %q and effect %q", role, policy.PolicyName, s.Sid, s.Effect)
				}
				if slices.Contains(s.Action, "dynamodb:DeleteItem") &&
					!slices.Equal(s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], list{"#letter/*"}) {
					t.Errorf("%s, policy %s: more than dead letters' messages may be deleted: %v", role, policy.PolicyName, s.Condition)
				}
				if slices.Contains(s.Resource, "*") && s.Sid != "SendTraces" {
					t.Errorf("%s, policy %s: %s is allowed on every resource", role, policy.PolicyName, s.Action)
				}
			}
		}
		slices.Sort(allowed)
		slices.Sort(calls)
		if !slices.Equal(allowed, calls) {
			t.Errorf("%s allows\n%q\nthe code calls\n%q", role, allowed, calls)
		}
	}
}

// actions returns the IAM actions behind the methods of an interface.
func actions[API any](service string) []string {
	var names []string
	for method := range reflect.TypeFor[API]().Methods() {
		names = append(names, service+":"+method.Name)
	}
	return names
}

// TestQueues holds the times that depend on each other.
func TestQueues(t *testing.T) {
	parsed := readTemplate(t)
	work, dead := parsed.Resources["WorkQueue"].Properties, parsed.Resources["DeadLetterQueue"].Properties
	if timeout := parsed.Resources["WorkerFunction"].Properties.Timeout; work.VisibilityTimeout <= timeout {
		t.Errorf("a message is visible again after %d s, while the worker may still have it for %d s", work.VisibilityTimeout, timeout)
	}
	// Both have the longest that SQS grants: the worker makes a letter, whose age
	// begins anew, of what the work queue would soon forget.
	if dead.MessageRetentionPeriod < work.MessageRetentionPeriod {
		t.Errorf("dead letters live %d s, less than work with %d s", dead.MessageRetentionPeriod, work.MessageRetentionPeriod)
	}
	if work.MaximumMessageSize != 1<<20 || dead.MaximumMessageSize != 1<<20 {
		t.Errorf("messages may have %d and %d bytes, want 1 MiB each", work.MaximumMessageSize, dead.MaximumMessageSize)
	}
}

// TestRoutes: ingest sees every method and path, and answers 405 and 404 itself.
func TestRoutes(t *testing.T) {
	routes := map[string]string{}
	for name, event := range readTemplate(t).Resources["IngestFunction"].Properties.Events {
		if event.Type != "HttpApi" || event.Properties.PayloadFormatVersion != "2.0" {
			t.Errorf("%s is an %s of payload format %q", name, event.Type, event.Properties.PayloadFormatVersion)
		}
		routes[event.Properties.Path] = event.Properties.Method
	}
	// Without a path and a method it is $default, which takes the rest.
	if want := map[string]string{ingest.Path: "ANY", "": ""}; !maps.Equal(routes, want) {
		t.Errorf("routes %q, want %q", routes, want)
	}
}

// TestAccessLog: the token is in the query string, so what API Gateway logs of a
// request must be known not to have one.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func TestAccessLog(t *testing.T) {
	known := []string{
		"$context.httpMethod", "$context.identity.sourceIp", "$context.identity.userAgent", "$context.integrationErrorMessage",
		"$context.integrationLatency", "$context.path", "$context.requestId", "$context.requestTime", "$context.responseLength",
		"$context.routeKey", "$context.status",
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

// TestMetrics: what the functions count is on the dashboard, and nothing is there
// that nobody counts.
func TestMetrics(t *testing.T) {
	shown := dashboard(t)
	for source, function := range map[string]string{"ingest.go": "${IngestFunction}", "worker.go": "${WorkerFunction}"} {
		code, err := os.ReadFile("../../pkg/telemetry/" + source)
		if err != nil {
			t.Fatal(err)
		}
		var counted []string
		for _, match := range regexp.MustCompile(`(?:count\(|metric\{name: )"([A-Za-z]+)"`).FindAllSubmatch(code, -1) {
			counted = append(counted, string(match[1]))
		}
		slices.Sort(counted)
		counted = slices.Compact(counted)
		slices.Sort(shown[function])
		if !slices.Equal(counted, shown[function]) {
			t.Errorf("%s counts\n%q\nthe dashboard shows\n%q", source, counted, shown[function])
		}
	}
}

// dashboard returns the names of the metrics that the dashboard shows of each
// service.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	var body struct {
		Widgets []struct {
			Properties struct{ Metrics [][]any }
		}
	}
	if err := json.Unmarshal([]byte(readTemplate(t).Resources["Dashboard"].Properties.DashboardBody), &body); err != nil {
		t.Fatal(err)
	}
	search := regexp.MustCompile(`\{FairBridge,.*MetricName="([A-Za-z]+)" service="([^"]+)"`)
	shown := map[string][]string{}
	for _, widget := range body.Widgets {
		var last []any
		for _, metric := range widget.Properties.Metrics {
			if options, ok := metric[0].(map[string]any); ok {
				if found := search.FindStringSubmatch(options["expression"].(string)); found != nil {
					shown[found[2]] = append(shown[found[2]], found[1])
				}
				continue
			}
			if metric[0] == "..." { // the same metric again
				continue
			}
			for i := range metric {
				if metric[i] == "." {
					metric[i] = last[i]
				}
			}
			if last = metric; metric[0] == "FairBridge" {
				shown[metric[3].(string)] = append(shown[metric[3].(string)], metric[1].(string))
			}
		}
	}
	return shown
}

// TestAlarms: whoever is woken by one must know why, and what to do.
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
		if resource.Properties.TreatMissingData != "notBreaching" {
			t.Errorf("%s: no data would be an alarm", name)
		}
	}
	if alarms == 0 {
		t.Error("no alarms")
	}
}
