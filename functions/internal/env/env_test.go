package env_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"fairbridge/functions/internal/env"
)

const mappingFile = `
centercode: {baseUrl: https://beta.example.com}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}"}
`

// lookup is a complete environment, with the mapping file at config.
func lookup(config string) map[string]string {
	return map[string]string{
		"LAMBDA_TASK_ROOT":                 filepath.Dir(config),
		"FAIRBRIDGE_QUEUE_URL":             "https://sqs.example.com/1/work",
		"FAIRBRIDGE_FILES_QUEUE_URL":       "https://sqs.example.com/1/files",
		"FAIRBRIDGE_DEAD_LETTER_QUEUE_URL": "https://sqs.example.com/1/dead",
		"FAIRBRIDGE_LEDGER_TABLE":          "ledger",
		"FAIRBRIDGE_SECRETS_PREFIX":        "/fairbridge/",
		"AWS_REGION":                       "eu-central-1",
		"AWS_ACCESS_KEY_ID":                "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":            "secret-example",
		"AWS_SESSION_TOKEN":                "session",
	}
}

func from(m map[string]string) env.Lookup { return func(name string) string { return m[name] } }

func writeMapping(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettings(t *testing.T) {
	vars := lookup(writeMapping(t, "fairbridge.yaml", mappingFile))
	s, err := env.ReadWorker(from(vars))
	if err != nil {
		t.Fatal(err)
	}
	if s.QueueURL != vars[env.QueueURL] || s.FilesQueueURL != vars[env.FilesQueueURL] || s.DeadLetterQueueURL != vars[env.DeadLetterQueueURL] ||
		s.LedgerTable != "ledger" || s.SecretsPrefix != "/fairbridge/" {
		t.Errorf("settings %+v", s)
	}
	config, err := s.LoadMapping()
	if err != nil || !config.Wants("feedback") || config.Centercode.BaseURL != "https://beta.example.com" {
		t.Errorf("mapping %+v, %v", config, err)
	}
	vars[env.CentercodeBaseURL] = "https://stage.example.com"
	if s, err = env.ReadWorker(from(vars)); err != nil {
		t.Fatal(err)
	}
	if config, err = s.LoadMapping(); err != nil || config.Centercode.BaseURL != "https://stage.example.com" {
		t.Errorf("mapping %+v, %v; want the base URL of the environment", config, err)
	}
	vars[env.CentercodeBaseURL] = "https://stage.example.com/api/v1"
	if err := workerError(from(vars)); named(err, env.CentercodeBaseURL) == nil || named(err, "write https://stage.example.com") == nil {
		t.Errorf("the API's address as the site's: %v", err)
	}
	ingest, err := env.ReadIngest(from(vars))
	if err != nil || ingest.QueueURL != vars[env.QueueURL] {
		t.Errorf("ingest's settings %+v, %v", ingest, err)
	}
}

func TestMappingFileElsewhere(t *testing.T) {
	path := writeMapping(t, "other.yaml", mappingFile)
	for name, config := range map[string]string{"absolute": path, "beside the binary": "other.yaml"} {
		vars := lookup(path)
		vars[env.Config] = config
		if err := ingestError(from(vars)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	noCenterCode := strings.Replace(mappingFile, "centercode: {baseUrl: https://beta.example.com}", "", 1)
	tests := map[string]struct {
		file   string
		remove []string
		read   func(env.Lookup) error
	}{
		"ingest": {mappingFile, []string{env.QueueURL, env.SecretsPrefix}, ingestError},
		"worker": {mappingFile, []string{env.QueueURL, env.SecretsPrefix, env.FilesQueueURL, env.DeadLetterQueueURL, env.LedgerTable}, workerError},
		"aws":    {mappingFile, []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, ingestError},
		"mapping file": {"routes: 7", nil, func(get env.Lookup) error {
			return named(ingestError(get), "fairbridge.yaml")
		}},
		"centercode": {noCenterCode, nil, func(get env.Lookup) error {
			return named(workerError(get), env.CentercodeBaseURL)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vars := lookup(writeMapping(t, "fairbridge.yaml", tt.file))
			for _, v := range tt.remove {
				delete(vars, v)
			}
			err := tt.read(from(vars))
			if err == nil {
				t.Fatal("no error")
			}
			for _, v := range tt.remove {
				if !strings.Contains(err.Error(), v) {
					t.Errorf("%q does not name %s", err, v)
				}
			}
			if strings.Contains(err.Error(), "secret-example") {
				t.Errorf("%q shows a secret", err)
			}
		})
	}
}

// ingestError and workerError return the error that keeps a function from starting.
func ingestError(get env.Lookup) error {
	s, err := env.ReadIngest(get)
	if err == nil {
		_, err = s.LoadMapping()
	}
	return err
}

func workerError(get env.Lookup) error {
	s, err := env.ReadWorker(get)
	if err == nil {
		_, err = s.LoadMapping()
	}
	return err
}

// named returns err if it mentions name.
func named(err error, name string) error {
	if err != nil && strings.Contains(err.Error(), name) {
		return err
	}
	return nil
}

func TestEndpoints(t *testing.T) {
	// The SDK reads this variable too. Setenv restores it after the test.
	t.Setenv("AWS_ENDPOINT_URL", "")
	if err := os.Unsetenv("AWS_ENDPOINT_URL"); err != nil {
		t.Fatal(err)
	}
	vars := lookup(writeMapping(t, "fairbridge.yaml", mappingFile))
	check := func(sqsURL, ssmURL, dynamoURL string) {
		t.Helper()
		s, err := env.ReadIngest(from(vars))
		if err != nil {
			t.Fatal(err)
		}
		c := s.AWS
		for name, urls := range map[string][2]string{
			"SQS":      {aws.ToString(sqs.NewFromConfig(c).Options().BaseEndpoint), sqsURL},
			"SSM":      {aws.ToString(ssm.NewFromConfig(c).Options().BaseEndpoint), ssmURL},
			"DynamoDB": {aws.ToString(dynamodb.NewFromConfig(c).Options().BaseEndpoint), dynamoURL},
		} {
			if urls[0] != urls[1] {
				t.Errorf("%s is sent to %q, want %q", name, urls[0], urls[1])
			}
		}
	}
	check("", "", "")
	vars["AWS_ENDPOINT_URL_SQS"] = "http://127.0.0.1:1"
	check("http://127.0.0.1:1", "", "")
	vars["AWS_ENDPOINT_URL"] = "http://127.0.0.1:2"
	vars["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:3"
	check("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
}

func TestCredentials(t *testing.T) {
	s, err := env.ReadIngest(from(lookup(writeMapping(t, "fairbridge.yaml", mappingFile))))
	if err != nil {
		t.Fatal(err)
	}
	c := s.AWS
	got, err := c.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "AKIDEXAMPLE" || got.SecretAccessKey != "secret-example" || got.SessionToken != "session" || got.CanExpire {
		t.Errorf("credentials %+v, %v", got, err)
	}
	if c.Region != "eu-central-1" {
		t.Errorf("region %q", c.Region)
	}
}

// TestSilentConnection has a service that accepts a call on the first connection and never
// answers it, as after a freeze.
func TestSilentConnection(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client hung up
		if calls.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{"Parameter":{"Value":"here"}}`)
	}))
	defer server.Close()
	vars := lookup(writeMapping(t, "fairbridge.yaml", mappingFile))
	vars["AWS_ENDPOINT_URL_SSM"] = server.URL
	s, err := env.ReadIngest(from(vars))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	out, err := ssm.NewFromConfig(s.AWS).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/fairbridge/webhook-token")})
	if err != nil || aws.ToString(out.Parameter.Value) != "here" || calls.Load() != 2 {
		t.Errorf("after %d calls: %+v, %v; want the second call's answer", calls.Load(), out, err)
	}
}

func TestFunction(t *testing.T) {
	for level, want := range map[string]slog.Level{
		"": slog.LevelInfo, "DEBUG": slog.LevelDebug, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "TRACE": slog.LevelInfo,
	} {
		f := env.ReadFunction(from(map[string]string{"AWS_LAMBDA_FUNCTION_NAME": "bridge-ingest", "AWS_LAMBDA_LOG_LEVEL": level}))
		if f.Name != "bridge-ingest" || f.LogLevel != want {
			t.Errorf("level %q: %+v, want %s", level, f, want)
		}
	}
	if f := env.ReadFunction(from(nil)); f.Name == "" {
		t.Error("without Lambda's variables the service has no name")
	}
}

func TestTuneGC(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	for _, tt := range []struct {
		size string
		want int64
	}{
		{"", limit}, {"much", limit}, {"256", 192 << 20},
	} {
		env.ReadFunction(from(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": tt.size})).TuneGC()
		if p, l := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); p != 200 || l != tt.want {
			t.Errorf("with a memory of %q: %d %%, a limit of %d bytes, want %d", tt.size, p, l, tt.want)
		}
	}
}
