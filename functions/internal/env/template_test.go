package env_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"fairbridge/functions/internal/env"
)

// TestTemplateSetsWhatIsRead holds template.yaml's variables against those that
// each function reads, both ways: one that is missing breaks a deployment, and
// one that nobody reads deceives whoever sets it.
func TestTemplateSetsWhatIsRead(t *testing.T) {
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Properties struct {
				Environment struct {
					Variables map[string]any `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for resource, read := range map[string]func(env.Lookup) error{"IngestFunction": ingestError, "WorkerFunction": workerError} {
		vars := lookup(writeMapping(t, "fairbridge.yaml", mappingFile))
		names := map[string]bool{}
		err := read(func(name string) string {
			if strings.HasPrefix(name, "FAIRBRIDGE_") {
				names[name] = true
			}
			return vars[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(maps.Keys(template.Resources[resource].Properties.Environment.Variables))
		if want := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
			t.Errorf("template.yaml sets %v for %s, which reads %v", got, resource, want)
		}
	}
}
