package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var errExited = errors.New("lambdatest: the function's process has exited")

// Build builds the function in the named package, for this machine but otherwise like the
// Makefile, and returns the path of its bootstrap.
func Build(tb testing.TB, importPath string) string {
	tb.Helper()
	bootstrap := filepath.Join(tb.TempDir(), "bootstrap")
	args := append([]string{"build"}, BuildFlags...)
	cmd := exec.CommandContext(tb.Context(), "go", append(args, "-o", bootstrap, importPath)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", importPath, err, out)
	}
	return bootstrap
}

// BuildFlags are the flags of a deployment's build.
var BuildFlags = []string{"-tags=lambda.norpc,nethttpomithttp2", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// Function is the process of a function.
type Function struct {
	runtime *runtime
	server  *httptest.Server
	cmd     *exec.Cmd
	output  string // a file: written when the function's write returns, unlike a pipe
	started time.Time
	exited  chan struct{} // closed when the process has ended
}

// Start starts bootstrap with the environment that Lambda sets, overridden by env. It does
// not wait for init to finish. The process is killed when the test ends.
func Start(tb testing.TB, bootstrap string, env map[string]string) *Function {
	tb.Helper()
	output, err := os.Create(filepath.Join(tb.TempDir(), "output"))
	if err != nil {
		tb.Fatal(err)
	}
	defer output.Close() // the process has its own descriptor
	f := &Function{runtime: newRuntime(), output: output.Name(), exited: make(chan struct{})}
	f.server = httptest.NewServer(f.runtime.mux)
	f.cmd = exec.Command(bootstrap)
	f.cmd.Dir = filepath.Dir(bootstrap)
	f.cmd.Stdout, f.cmd.Stderr = output, output
	all := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":   strings.TrimPrefix(f.server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME": "test",
		"AWS_REGION":               "eu-central-1",
		"AWS_ACCESS_KEY_ID":        "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":    "example",
		"AWS_SESSION_TOKEN":        "session",
		"LAMBDA_TASK_ROOT":         f.cmd.Dir,
	}
	maps.Copy(all, env)
	f.cmd.Env = []string{} // not nil, so that nothing is inherited
	for name, value := range all {
		f.cmd.Env = append(f.cmd.Env, name+"="+value)
	}
	f.started = time.Now()
	if err := f.cmd.Start(); err != nil {
		f.server.Close()
		tb.Fatalf("start %s: %v", bootstrap, err)
	}
	go func() {
		_ = f.cmd.Wait() // the exit code is enough
		close(f.exited)
	}()
	tb.Cleanup(f.stop)
	return f
}

// stop kills the process, as Lambda does.
func (f *Function) stop() {
	_ = f.cmd.Process.Kill() // an error means that it has already exited
	<-f.exited
	f.server.Close()
}

// ColdStart waits for init to finish and returns how long it took, from exec to the first
// poll for an event.
func (f *Function) ColdStart(ctx context.Context) (time.Duration, error) {
	select {
	case <-f.runtime.polled:
		f.runtime.mu.Lock()
		defer f.runtime.mu.Unlock()
		return f.runtime.firstPoll.Sub(f.started), nil
	case <-f.exited:
		return 0, errExited
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Invoke sends the function an event, as JSON, and decodes its response into response. The
// context's deadline becomes that of the invocation. If the function fails, the error is a
// [*FunctionError].
func (f *Function) Invoke(ctx context.Context, event, response any) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	body, err := f.runtime.invoke(ctx, payload, f.exited)
	if err != nil {
		return fmt.Errorf("invoke function: %w", err)
	}
	if err := json.Unmarshal(body, response); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}
	return nil
}

// Wait waits for the process to exit on its own and returns its exit code.
func (f *Function) Wait(ctx context.Context) (int, error) {
	select {
	case <-f.exited:
		return f.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Output returns what the function has printed so far, including everything before its last
// response.
func (f *Function) Output() string {
	text, err := os.ReadFile(f.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
