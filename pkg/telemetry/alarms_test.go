package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/worker"
)

// alarm is what an alarm of the template watches, and when it fires. An intrinsic function
// is read as its argument: !Ref WorkerFunction is "WorkerFunction".
type alarm struct {
	Namespace  string `yaml:"Namespace"`
	MetricName string `yaml:"MetricName"`
	Dimensions []struct {
		Name  string `yaml:"Name"`
		Value string `yaml:"Value"`
	} `yaml:"Dimensions"`
	Statistic          string `yaml:"Statistic"`
	Period             int    `yaml:"Period"`
	EvaluationPeriods  int    `yaml:"EvaluationPeriods"`
	ComparisonOperator string `yaml:"ComparisonOperator"`
	Threshold          any    `yaml:"Threshold"` // a number, or a parameter's name
	TreatMissingData   string `yaml:"TreatMissingData"`
}

// filter is a metric filter of a log.
type filter struct {
	FilterPattern         string `yaml:"FilterPattern"`
	MetricTransformations []struct {
		MetricNamespace string `yaml:"MetricNamespace"`
		MetricName      string `yaml:"MetricName"`
		Dimensions      []struct {
			Key   string `yaml:"Key"`
			Value string `yaml:"Value"`
		} `yaml:"Dimensions"`
	} `yaml:"MetricTransformations"`
}

// watching is the part of the template that defines the alarms.
type watching struct {
	alarms     map[string]alarm
	filters    map[string]filter
	accessLog  string // the format of a line
	parameters map[string]any
}

func readAlarms(t *testing.T) watching {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			Default any `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	w := watching{alarms: map[string]alarm{}, filters: map[string]filter{}, parameters: map[string]any{}}
	for name, p := range template.Parameters {
		w.parameters[name] = p.Default
	}
	for name, r := range template.Resources {
		var err error
		switch r.Type {
		case "AWS::CloudWatch::Alarm":
			var a alarm
			err = r.Properties.Decode(&a)
			w.alarms[name] = a
		case "AWS::Logs::MetricFilter":
			var f filter
			err = r.Properties.Decode(&f)
			w.filters[name] = f
		case "AWS::Serverless::HttpApi":
			var api struct {
				AccessLogSettings struct {
					Format string `yaml:"Format"`
				} `yaml:"AccessLogSettings"`
			}
			err = r.Properties.Decode(&api)
			w.accessLog = api.AccessLogSettings.Format
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// metric returns the alarm's metric as the tests name it: namespace, name, dimensions.
func (a alarm) metric() string {
	var dimensions []string
	for _, d := range a.Dimensions {
		dimensions = append(dimensions, d.Name+"="+d.Value)
	}
	return fmt.Sprint(a.Namespace, " ", a.MetricName, " ", dimensions)
}

// period holds CloudWatch's values for one period, by metric.
type period map[string][]float64

// state returns an alarm's state after a period, given the one before.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (w watching) state(t *testing.T, a alarm, before string, p period) string {
	t.Helper()
	if a.EvaluationPeriods != 1 {
		t.Fatalf("%d periods are not supported here", a.EvaluationPeriods)
	}
	values := p[a.metric()]
	if len(values) == 0 {
		switch a.TreatMissingData {
		case "notBreaching":
			return "OK"
		case "ignore":
			return before
		}
		t.Fatalf("missing data is treated as %q", a.TreatMissingData)
	}
	var value float64
	switch a.Statistic {
	case "Sum":
		for _, v := range values {
			value += v
		}
	case "Maximum":
		value = slices.Max(values)
	default:
		t.Fatalf("the statistic is %q", a.Statistic)
	}
	threshold, isNumber := number(a.Threshold)
	if !isNumber {
		threshold, isNumber = number(w.parameters[fmt.Sprint(a.Threshold)])
	}
	if !isNumber {
		t.Fatalf("the threshold is %v", a.Threshold)
	}
	breaches := value > threshold
	switch a.ComparisonOperator {
	case "GreaterThanOrEqualToThreshold":
		breaches = value >= threshold
	case "GreaterThanThreshold":
	default:
		t.Fatalf("the operator is %q", a.ComparisonOperator)
	}
	if breaches {
		return "ALARM"
	}
	return "OK"
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// add adds the metrics of an outcome's log line, as a function of the template writes it.
// The service dimension is the function.
func (p period) add(t *testing.T, function string, report func(context.Context, *slog.Logger)) {
	t.Helper()
	line := logged(t, report)
	for _, d := range line["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		directive := d.(map[string]any)
		for _, set := range directive["Dimensions"].([]any) {
			var dimensions []string
			for _, name := range set.([]any) {
				value := line[name.(string)]
				if name == "service" {
					value = function
				}
				dimensions = append(dimensions, fmt.Sprintf("%s=%s", name, value))
			}
			for _, m := range directive["Metrics"].([]any) {
				name := m.(map[string]any)["Name"].(string)
				metric := fmt.Sprint(directive["Namespace"], " ", name, " ", dimensions)
				p[metric] = append(p[metric], line[name].(float64))
			}
		}
	}
}

func webhooks(t *testing.T, outcomes ...ingest.Outcome) period {
	p := period{}
	for _, o := range outcomes {
		p.add(t, "IngestFunction", func(ctx context.Context, log *slog.Logger) { telemetry.Ingest{Log: log}.Report(ctx, o) })
	}
	return p
}

func deliveries(t *testing.T, outcomes ...worker.Outcome) period {
	p := period{}
	for _, o := range outcomes {
		p.add(t, "WorkerFunction", func(ctx context.Context, log *slog.Logger) { telemetry.Worker{Log: log}.Report(ctx, o) })
	}
	return p
}

// access returns what the metric filters derive from one response of the API.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func (w watching) access(t *testing.T, status string) period {
	t.Helper()
	p := period{}
	_, service, found := strings.Cut(w.accessLog, `"service":"`)
	service, _, _ = strings.Cut(service, `"`)
	if !found || !strings.Contains(w.accessLog, `"status":"$context.status"`) {
		t.Fatalf("the access log lacks status and service: %s", w.accessLog)
	}
	for name, f := range w.filters {
		for _, made := range f.MetricTransformations {
			if len(made.Dimensions) != 1 || made.Dimensions[0].Value != "$.service" {
				t.Fatalf("%s has the dimensions %v", name, made.Dimensions)
			}
			if f.FilterPattern == `{ $.status = "`+status+`" }` {
				metric := fmt.Sprint(made.MetricNamespace, " ", made.MetricName, " [", made.Dimensions[0].Key, "=", service, "]")
				p[metric] = append(p[metric], 1)
			}
		}
	}
	return p
}

// TestAlarms trips each alarm of the template once. FairBridge's own metrics are taken from
// the lines that the code writes, and AWS's are named as in its documentation: an alarm on
// a metric that does not exist never fires.
func TestAlarms(t *testing.T) {
	w := readAlarms(t)
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
	const (
		letters        = "AWS/SQS ApproximateNumberOfMessagesVisible [QueueName=DeadLetterQueue.QueueName]"
		oldest         = "AWS/SQS ApproximateAgeOfOldestMessage [QueueName=WorkQueue.QueueName]"
		oldestFiles    = "AWS/SQS ApproximateAgeOfOldestMessage [QueueName=FilesQueue.QueueName]"
		serverErrors   = "AWS/ApiGateway 5xx [ApiId=WebhookApi]"
		ingestErrors   = "AWS/Lambda Errors [FunctionName=IngestFunction]"
		workerErrors   = "AWS/Lambda Errors [FunctionName=WorkerFunction]"
		ingestThrottle = "AWS/Lambda Throttles [FunctionName=IngestFunction]"
		workerThrottle = "AWS/Lambda Throttles [FunctionName=WorkerFunction]"
		ingestDuration = "AWS/Lambda Duration [FunctionName=IngestFunction]"
		workerDuration = "AWS/Lambda Duration [FunctionName=WorkerFunction]"
	)
	held := func(age time.Duration, h breaker.Hold) worker.Outcome {
		h.Since = time.Now().Add(-age)
		return worker.Outcome{Result: worker.Held, Age: age, Hold: h, Receipts: map[string]string{"1": "handle"}}
	}
	rejected := func(reason ingest.Reason) ingest.Outcome {
		return ingest.Outcome{Result: ingest.Rejected, Status: 400, Reason: reason}
	}
	accepted := webhooks(t, ingest.Outcome{Result: ingest.Accepted, Status: 202}, rejected(ingest.ReasonUnknownPath))
	created := deliveries(t, worker.Outcome{Result: worker.Created, Age: 2 * time.Hour})
	tests := map[string]struct{ ill, well period }{
		"DeadLettersAlarm":    {period{letters: {0, 1, 1}}, period{letters: {0, 0}}},
		"NewDeadLettersAlarm": {deliveries(t, worker.Outcome{Result: worker.Dead, Reason: queue.ReasonRejected}), created},
		"AmbiguousDeliveriesAlarm": {deliveries(t, worker.Outcome{Result: worker.Dead, Reason: queue.ReasonAmbiguous}),
			deliveries(t, worker.Outcome{Result: worker.Dead, Reason: queue.ReasonRejected})},
		"OldestMessageAlarm": {period{oldest: {10, 3601}}, period{oldest: {10, 3599}}},
		"OldestFilesAlarm":   {period{oldestFiles: {10, 3601}}, period{oldestFiles: {10, 3599}}},
		"LongRetryAlarm": {deliveries(t, worker.Outcome{Result: worker.Retry, Age: 3601 * time.Second}, worker.Outcome{Result: worker.Retry}),
			deliveries(t, worker.Outcome{Result: worker.Retry, Age: time.Minute}, held(time.Hour, breaker.Hold{Open: true}))},
		"CentercodeUnavailableAlarm": {deliveries(t, held(16*time.Minute, breaker.Hold{Open: true})),
			deliveries(t, held(14*time.Minute, breaker.Hold{Open: true}), held(time.Hour, breaker.Hold{Paused: true}))},
		"KeyRefusedAlarm": {deliveries(t, held(time.Minute, breaker.Hold{Open: true, KeyRefused: true})),
			deliveries(t, held(time.Minute, breaker.Hold{Open: true}))},
		"PausedAlarm": {deliveries(t, held(25*time.Hour, breaker.Hold{Paused: true})),
			deliveries(t, held(23*time.Hour, breaker.Hold{Paused: true}), held(25*time.Hour, breaker.Hold{Open: true}))},
		"WrongTokenAlarm": {webhooks(t, rejected(ingest.ReasonWrongToken)), accepted},
		"LostWebhooksAlarm": {webhooks(t, rejected(ingest.ReasonTooLarge)),
			webhooks(t, rejected(ingest.ReasonWrongToken), rejected(ingest.ReasonNoToken))},
		"ThrottledWebhooksAlarm": {w.access(t, "429"), w.access(t, "401")},
		"ApiServerErrorsAlarm":   {period{serverErrors: {1}}, period{serverErrors: {0}}},
		"IngestErrorsAlarm":      {period{ingestErrors: {0, 1}}, period{ingestErrors: {0, 0}}},
		"WorkerErrorsAlarm":      {period{workerErrors: {0, 1}}, period{workerErrors: {0, 0}}},
		"IngestThrottlesAlarm":   {period{ingestThrottle: {1}}, period{ingestThrottle: {0}}},
		"WorkerThrottlesAlarm":   {period{workerThrottle: {1}}, period{workerThrottle: {0}}},
		"IngestDurationAlarm":    {period{ingestDuration: {5, 7001}}, period{ingestDuration: {5, 7000}}},
		"WorkerDurationAlarm":    {period{workerDuration: {5, 840001}}, period{workerDuration: {5, 840000}}},
	}
	if have, want := slices.Sorted(maps.Keys(w.alarms)), slices.Sorted(maps.Keys(tests)); !slices.Equal(have, want) {
		t.Errorf("the template has the alarms\n%q\ntripped are\n%q", have, want)
	}
	for name, test := range tests {
		a := w.alarms[name]
		if got := w.state(t, a, "OK", test.ill); got != "ALARM" {
			t.Errorf("%s (%s) is %s after %v", name, a.metric(), got, test.ill)
		}
		if got := w.state(t, a, "ALARM", test.well); got != "OK" {
			t.Errorf("%s (%s) is %s after %v", name, a.metric(), got, test.well)
		}
		// Dead letters remain even when SQS stops reporting their number.
		want := "OK"
		if name == "DeadLettersAlarm" {
			want = "ALARM"
		}
		if got := w.state(t, a, "ALARM", period{}); got != want {
			t.Errorf("%s is %s without data", name, got)
		}
	}
}

// TestLost checks that exactly the reasons that can occur with a right token count as lost.
func TestLost(t *testing.T) {
	for reason, lost := range map[ingest.Reason]bool{
		ingest.ReasonTooLarge: true, ingest.ReasonTooLargeForQueue: true, ingest.ReasonNotJSON: true, ingest.ReasonTooDeep: true,
		ingest.ReasonBadBase64: true, ingest.ReasonBadGzip: true,
		ingest.ReasonWrongToken: false, ingest.ReasonNoToken: false, ingest.ReasonUnknownPath: false, ingest.ReasonMethod: false,
	} {
		got := webhooks(t, ingest.Outcome{Result: ingest.Rejected, Status: 400, Reason: reason})
		if (got["FairBridge Lost [service=IngestFunction]"] != nil) != lost {
			t.Errorf("%s: %v", reason, got)
		}
	}
}
