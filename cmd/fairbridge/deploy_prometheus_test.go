//go:build deploy

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDeployPrometheus checks with promtool the names of the metrics, the rules with their
// tests, and each expression of the dashboard.
func TestDeployPrometheus(t *testing.T) {
	p := startBridge(t, newFarEnd(t, ""), t.TempDir())
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(scrape(t, p))
	if output, err := lint.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, output)
	}
	check(t, nil, "promtool", "check", "rules", "../../deploy/prometheus/alerts.yaml")
	check(t, nil, "promtool", "test", "rules", "../../deploy/prometheus/alerts_test.yaml")

	text, err := os.ReadFile("../../deploy/grafana/dashboard.json")
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			rules = append(rules, rule{"shown", strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)})
		}
	}
	if len(rules) < len(dashboard.Panels) {
		t.Fatalf("%d expressions", len(rules))
	}
	groups, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, nil, "promtool", "check", "rules", "--lint=none", write(t, t.TempDir(), "dashboard.json", string(groups)))
}
