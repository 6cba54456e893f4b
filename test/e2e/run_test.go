//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tool returns the path of a program in one of the virtual environments of tools/python.
func (w *world) tool(environment, name string) string {
	return filepath.Join(w.root, ".build", "venv", environment, "bin", name)
}

// aws runs the AWS CLI, and decodes its output into answer unless that is nil.
func (w *world) aws(ctx context.Context, answer any, args ...string) error {
	out, err := w.run(ctx, "", nil, w.tool("emulator", "aws"), append(args, "--output", "json")...)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(out, answer)
}

// command runs the fairbridge command with AWS within reach. The error has its exit code.
func (w *world) command(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	return w.run(ctx, stdin, w.commandEnvironment(), filepath.Join(w.dir, "fairbridge"), args...)
}

func (w *world) commandEnvironment() []string {
	return []string{"HTTPS_PROXY=" + w.gateway.proxy, "SSL_CERT_FILE=" + w.gateway.certificate, "TESTFAIRY_URL=" + w.filesURL}
}

// waitDelay is how long a program's children may keep its output open after its end.
const waitDelay = 5 * time.Second

// run runs a program in the repository and returns its standard output. The error has all
// of its output.
func (w *world) run(ctx context.Context, stdin string, environment []string, program string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = w.root, slices.Concat(w.env, environment), waitDelay
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

// environment returns the machine's environment without its AWS account.
func environment(dir string) []string {
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"AWS_", "FAIRBRIDGE_", "TESTFAIRY_", "SAM_CLI_"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
	nowhere := filepath.Join(dir, "no-such-file")
	return append(own,
		"AWS_CONFIG_FILE="+nowhere, "AWS_SHARED_CREDENTIALS_FILE="+nowhere, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID="+accountKey, "AWS_SECRET_ACCESS_KEY="+accountSecret, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_PAGER=",
		"SAM_CLI_TELEMETRY=0", "__SAM_CLI_APP_DIR="+filepath.Join(dir, "sam-home"),
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
	)
}
