package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestMetrics: the dashboard shows the metrics that the functions count, and no others.
func TestMetrics(t *testing.T) {
	shown := dashboard(t)
	code, err := os.ReadFile("../../pkg/telemetry/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ = bytes.Cut(code, []byte("func OfIngest("))
	ofIngest, ofWorker, _ := bytes.Cut(code, []byte("func OfWorker("))
	for function, code := range map[string][]byte{"${IngestFunction}": ofIngest, "${WorkerFunction}": ofWorker} {
		var counted []string
		for _, match := range regexp.MustCompile(`(?:add\(|Metric\{Name: )([A-Z][A-Za-z]+)`).FindAllSubmatch(code, -1) {
			counted = append(counted, string(match[1])) // the constants are named as their values
		}
		slices.Sort(counted)
		counted = slices.Compact(counted)
		slices.Sort(shown[function])
		if !slices.Equal(counted, shown[function]) {
			t.Errorf("%s counts\n%q\nthe dashboard shows\n%q", function, counted, shown[function])
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
