// Package env reads a function's environment: FairBridge's own settings, and how to reach
// AWS. It reads everything once, at init.
package env

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/mapping"
)

// The variables that template.yaml sets. Apart from these, the functions read only what
// Lambda itself sets.
const (
	// Config is the path of the mapping file, for both functions. The default is
	// fairbridge.yaml beside the function's binary.
	Config = "FAIRBRIDGE_CONFIG"
	// QueueURL is the work queue, for both functions.
	QueueURL = "FAIRBRIDGE_QUEUE_URL"
	// SecretsPrefix is the path of the SSM parameters, for both functions.
	SecretsPrefix = "FAIRBRIDGE_SECRETS_PREFIX"
	// FilesQueueURL is the queue for deliveries that have their tickets, and slow files.
	FilesQueueURL = "FAIRBRIDGE_FILES_QUEUE_URL"
	// DeadLetterQueueURL is the dead-letter queue.
	DeadLetterQueueURL = "FAIRBRIDGE_DEAD_LETTER_QUEUE_URL"
	// LedgerTable is the worker's DynamoDB table.
	LedgerTable = "FAIRBRIDGE_LEDGER_TABLE"
	// CentercodeBaseURL, for the worker, replaces centercode.baseUrl of the
	// mapping file, so that stages can share a file. Optional.
	CentercodeBaseURL = "FAIRBRIDGE_CENTERCODE_BASE_URL"
)

// Lookup returns the value of an environment variable, or "" if it is not set. It is
// [os.Getenv], except in tests.
type Lookup func(name string) string

// Function describes the function itself.
type Function struct {
	// Name is the function's name in its stack, which is the service of its metrics.
	Name string
	// LogLevel is the function's application log level.
	LogLevel slog.Level
	// Memory is the function's MemorySize in bytes; 0 if unknown.
	Memory int64
}

// ReadFunction cannot fail: without Lambda's variables it uses defaults.
func ReadFunction(get Lookup) Function {
	f := Function{Name: get("AWS_LAMBDA_FUNCTION_NAME")}
	if f.Name == "" {
		f.Name = "fairbridge"
	}
	if err := f.LogLevel.UnmarshalText([]byte(get("AWS_LAMBDA_LOG_LEVEL"))); err != nil {
		f.LogLevel = slog.LevelInfo // none is set, or TRACE or FATAL, which slog does not have
	}
	if megabytes, err := strconv.ParseInt(get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32); err == nil {
		f.Memory = megabytes << 20
	}
	return f
}

// TuneGC lets the heap triple, not double, before garbage is collected, as long as the process
// stays below three quarters of the function's memory. A function that needs a tenth of its
// memory would otherwise spend a tenth of its processor time on that (docs/performance.md).
func (f Function) TuneGC() {
	debug.SetGCPercent(200)
	if f.Memory > 0 {
		debug.SetMemoryLimit(f.Memory / 4 * 3)
	}
}

// Settings is what both functions need.
type Settings struct {
	AWS           aws.Config
	QueueURL      string
	SecretsPrefix string

	mappingFile string
}

// WorkerSettings is what the worker needs.
type WorkerSettings struct {
	Settings
	FilesQueueURL      string
	DeadLetterQueueURL string
	LedgerTable        string

	centercodeBaseURL string
}

// ReadIngest reads ingest's settings. The error names every variable that is
// missing.
func ReadIngest(get Lookup) (Settings, error) {
	r := reader{get: get}
	s := r.common()
	return s, r.err()
}

// ReadWorker reads the worker's settings, as [ReadIngest] does ingest's.
func ReadWorker(get Lookup) (WorkerSettings, error) {
	r := reader{get: get}
	s := WorkerSettings{
		Settings:           r.common(),
		FilesQueueURL:      r.required(FilesQueueURL),
		DeadLetterQueueURL: r.required(DeadLetterQueueURL),
		LedgerTable:        r.required(LedgerTable),
		centercodeBaseURL:  get(CentercodeBaseURL),
	}
	return s, r.err()
}

// LoadMapping reads the mapping file. The error names every fault in it.
func (s Settings) LoadMapping() (*mapping.Config, error) {
	config, err := mapping.Load(s.mappingFile)
	if err != nil {
		return nil, fmt.Errorf("load mapping file: %w", err)
	}
	return config, nil
}

// LoadMapping reads the mapping file. It must name a Centercode unless the environment
// does.
func (s WorkerSettings) LoadMapping() (*mapping.Config, error) {
	config, err := s.Settings.LoadMapping()
	if err != nil {
		return nil, err
	}
	if s.centercodeBaseURL != "" {
		if config, err = config.WithBaseURL(s.centercodeBaseURL); err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", CentercodeBaseURL, err)
		}
	}
	if config.Centercode.BaseURL == "" {
		return nil, fmt.Errorf("no Centercode to send to: set centercode.baseUrl in the mapping file, or %s", CentercodeBaseURL)
	}
	return config, nil
}

// reader collects the names of missing variables.
type reader struct {
	get     Lookup
	missing []error
}

func (r *reader) required(name string) string {
	value := r.get(name)
	if value == "" {
		r.missing = append(r.missing, fmt.Errorf("environment variable %s is not set", name))
	}
	return value
}

func (r *reader) common() Settings {
	return Settings{
		AWS: r.aws(), QueueURL: r.required(QueueURL), SecretsPrefix: r.required(SecretsPrefix), mappingFile: r.mappingFile(),
	}
}

func (r *reader) mappingFile() string {
	path := r.get(Config)
	if path == "" {
		path = "fairbridge.yaml"
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.get("LAMBDA_TASK_ROOT"), path)
}

func (r *reader) err() error { return errors.Join(r.missing...) }
