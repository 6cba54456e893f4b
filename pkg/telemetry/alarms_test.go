package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
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

// watched is the part of a resource of the template that says which metric an
// alarm watches, or a metric filter makes.
type watched struct {
	Type       string `yaml:"Type"`
	Properties struct {
		watchedMetric         `yaml:",inline"`
		FilterPattern         string `yaml:"FilterPattern"`
		MetricTransformations []struct {
			MetricNamespace string `yaml:"MetricNamespace"`
			MetricName      string `yaml:"MetricName"`
			Dimensions      []struct {
				Key   string `yaml:"Key"`
				Value string `yaml:"Value"`
			} `yaml:"Dimensions"`
		} `yaml:"MetricTransformations"`
		AccessLogSettings struct {
			Format string `yaml:"Format"`
		} `yaml:"AccessLogSettings"`
	} `yaml:"Properties"`
}

type watchedMetric struct {
	Namespace  string `yaml:"Namespace"`
	MetricName string `yaml:"MetricName"`
	Dimensions []struct {
		Name  string `yaml:"Name"`
		Value string `yaml:"Value"`
	} `yaml:"Dimensions"`
}

// written are the metrics of an outcome's line as an alarm names them:
// namespace, name, and the dimensions with their values but the service's, which
// is the function.
func written(t *testing.T, function string, report func(context.Context, *slog.Logger)) (metrics []string) {
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
				metrics = append(metrics, fmt.Sprint(directive["Namespace"], " ", m.(map[string]any)["Name"], " ", dimensions))
			}
		}
	}
	return metrics
}

// TestAlarmsWatchWhatIsWritten holds each of the template's alarms on FairBridge's
// own metrics against the metrics that the code, or a metric filter, writes: an
// alarm on one that nobody writes never fires.
func TestAlarmsWatchWhatIsWritten(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]watched `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	var metrics []string
	for _, o := range []ingest.Outcome{
		{Result: ingest.Rejected, Status: 401, Reason: ingest.ReasonWrongToken},
		{Result: ingest.Rejected, Status: 413, Reason: ingest.ReasonTooLarge},
	} {
		metrics = append(metrics, written(t, "IngestFunction", func(ctx context.Context, log *slog.Logger) {
			telemetry.Ingest{Log: log}.Report(ctx, o)
		})...)
	}
	for _, o := range []worker.Outcome{
		{Result: worker.Dead, Reason: queue.ReasonAmbiguous},
		{Result: worker.Held, Age: time.Hour, Hold: breaker.Hold{Open: true, KeyRefused: true}},
		{Result: worker.Held, Age: time.Hour, Hold: breaker.Hold{Paused: true}},
	} {
		metrics = append(metrics, written(t, "WorkerFunction", func(ctx context.Context, log *slog.Logger) {
			telemetry.Worker{Log: log}.Report(ctx, o)
		})...)
	}
	access := template.Resources["WebhookApi"].Properties.AccessLogSettings.Format
	for name, resource := range template.Resources {
		for _, made := range resource.Properties.MetricTransformations {
			field := strings.TrimPrefix(made.Dimensions[0].Value, "$.")
			if !strings.Contains(access, fmt.Sprintf("%q:", field)) || !strings.Contains(access, `"status":"$context.status"`) {
				t.Errorf("%s reads %s, which the access log does not have: %s", name, field, access)
			}
			_, service, _ := strings.Cut(access, fmt.Sprintf("%q:\"", field))
			service, _, _ = strings.Cut(service, `"`)
			metrics = append(metrics, fmt.Sprint(made.MetricNamespace, " ", made.MetricName, " [", made.Dimensions[0].Key, "=", service, "]"))
		}
	}
	own := map[string]bool{}
	for name, resource := range template.Resources {
		if resource.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		m := resource.Properties.watchedMetric
		if m.Namespace != telemetry.Namespace {
			continue
		}
		var dimensions []string
		for _, d := range m.Dimensions {
			dimensions = append(dimensions, d.Name+"="+d.Value)
		}
		watches := fmt.Sprint(m.Namespace, " ", m.MetricName, " ", dimensions)
		if !slices.Contains(metrics, watches) {
			t.Errorf("%s watches %s; written are\n%s", name, watches, strings.Join(metrics, "\n"))
		}
		own[name] = true
	}
	for _, name := range []string{"WrongTokenAlarm", "LostWebhooksAlarm", "ThrottledWebhooksAlarm", "AmbiguousDeliveriesAlarm",
		"LongRetryAlarm", "CentercodeUnavailableAlarm", "KeyRefusedAlarm", "PausedAlarm"} {
		if !own[name] {
			t.Errorf("there is no %s", name)
		}
	}
	// Every reason that comes with a right token is counted as lost, no other.
	for reason, lost := range map[ingest.Reason]bool{
		ingest.ReasonTooLarge: true, ingest.ReasonTooLargeForQueue: true, ingest.ReasonNotJSON: true, ingest.ReasonTooDeep: true,
		ingest.ReasonBadBase64: true, ingest.ReasonBadGzip: true,
		ingest.ReasonWrongToken: false, ingest.ReasonNoToken: false, ingest.ReasonUnknownPath: false, ingest.ReasonMethod: false,
	} {
		got := written(t, "IngestFunction", func(ctx context.Context, log *slog.Logger) {
			telemetry.Ingest{Log: log}.Report(ctx, ingest.Outcome{Result: ingest.Rejected, Status: 400, Reason: reason})
		})
		if slices.Contains(got, "FairBridge Lost [service=IngestFunction]") != lost {
			t.Errorf("%s: %q", reason, got)
		}
	}
}
