package env_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"fairbridge/functions/internal/env"
	"fairbridge/pkg/mapping"
)

// TestTemplateSetsWhatIsRead compares the variables in template.yaml with those that each
// function reads, both ways: a missing one breaks a deployment, and one that no function
// reads misleads the operator who sets it.
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

// TestTemplateAcceptsTheSameBaseURL: the template must reject an address that the functions
// would reject.
func TestTemplateAcceptsTheSameBaseURL(t *testing.T) {
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			AllowedPattern string `yaml:"AllowedPattern"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	pattern, err := regexp.Compile(template.Parameters["CentercodeBaseUrl"].AllowedPattern)
	if err != nil || pattern.String() == "" {
		t.Fatalf("the pattern is %q, %v", pattern, err)
	}
	config, err := mapping.Load(writeMapping(t, "fairbridge.yaml", mappingFile))
	if err != nil {
		t.Fatal(err)
	}
	for url, taken := range map[string]bool{
		"https://beta.example.com": true, "https://beta.example.com/": true, "https://beta.example.com:8443/a/apis/v1": true,
		"https://beta.example.com/beta": true, "http://127.0.0.1:8080": true, "https://beta.example.com/ap/pi/abi": true,
		"https://beta.example.com/api/v1": false, "https://beta.example.com/API": false, "https://beta.example.com/x/api": false,
		"https://beta.example.com/api/v1/projects/DEMO/feedback/testfairy": false,
		"https://beta.example.com/?apiKey=x":                               false, "http://beta.example.com": false, "beta.example.com": false,
	} {
		_, err := config.WithBaseURL(url)
		if got := pattern.MatchString(url); got != taken || (err == nil) != taken {
			t.Errorf("%s: accepted by the template: %t, by the functions: %v", url, got, err)
		}
	}
}
