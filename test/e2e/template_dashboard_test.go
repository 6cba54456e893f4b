package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"
)

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
