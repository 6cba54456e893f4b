package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"fairbridge/pkg/telemetry"
)

// logged runs report with a logger, inside an invocation, and returns the only line that it
// wrote.
func logged(t *testing.T, report func(context.Context, *slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r-1"})
	// No level may suppress an outcome, and with it its metrics.
	report(ctx, telemetry.NewLogger(&out, "bridge-worker", slog.LevelError+1))
	text := out.String()
	if strings.Count(text, "\n") != 1 {
		t.Fatalf("want one line, got %q", text)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("line is not JSON: %v: %s", err, text)
	}
	checkEMF(t, line)
	return line
}

// units are those of CloudWatch's that are used.
var units = []string{"Count", "Bytes", "Milliseconds", "Seconds"}

// checkEMF checks a line against the specification of the format.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func checkEMF(t *testing.T, line map[string]any) {
	t.Helper()
	text, err := json.Marshal(line["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&meta); err != nil {
		t.Fatalf("_aws: %v: %s", err, text)
	}
	if at := time.UnixMilli(meta.Timestamp); time.Since(at) > time.Minute || time.Until(at) > time.Minute {
		t.Errorf("Timestamp %s is not now in milliseconds", at)
	}
	if len(meta.CloudWatchMetrics) == 0 {
		t.Error("no metric directives")
	}
	for _, directive := range meta.CloudWatchMetrics {
		if directive.Namespace != "FairBridge" {
			t.Errorf("namespace %q", directive.Namespace)
		}
		if n := len(directive.Metrics); n == 0 || n > 100 {
			t.Errorf("%d metrics, want 1 to 100", n)
		}
		for _, m := range directive.Metrics {
			if _, ok := line[m.Name].(float64); !ok {
				t.Errorf("metric %s has no number in the line: %v", m.Name, line[m.Name])
			}
			if !slices.Contains(units, m.Unit) {
				t.Errorf("metric %s has unit %q", m.Name, m.Unit)
			}
		}
		if len(directive.Dimensions) == 0 {
			t.Error("no dimension set")
		}
		for _, set := range directive.Dimensions {
			for _, name := range set {
				if name != "service" && name != "reason" {
					t.Errorf("dimension %s: only service and reason may be one", name)
				}
				if value, ok := line[name].(string); !ok || value == "" || len(value) > 1024 {
					t.Errorf("dimension %s has value %v", name, line[name])
				}
			}
		}
	}
}

// metricsOf returns the values of a line's metrics, by name. A metric with a reason
// dimension has its reason after a slash.
func metricsOf(line map[string]any) map[string]float64 {
	metrics := map[string]float64{}
	for _, d := range line["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		directive := d.(map[string]any)
		suffix := ""
		if set := directive["Dimensions"].([]any)[0].([]any); len(set) > 1 {
			suffix = "/" + line["reason"].(string)
		}
		for _, m := range directive["Metrics"].([]any) {
			name := m.(map[string]any)["Name"].(string)
			metrics[name+suffix] = line[name].(float64)
		}
	}
	return metrics
}

// checkMembers checks members of a line; nil means that the member must be missing.
func checkMembers(t *testing.T, line, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := line[name]; !reflect.DeepEqual(got, value) {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
}
