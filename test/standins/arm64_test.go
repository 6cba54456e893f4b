//go:build e2e

package standins

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"fairbridge/test/internal/standin"
)

// TestPackages runs the deployed packages: for arm64, built by the Makefile as `sam build`
// does it, under AWS's runtime interface emulator and QEMU. A webhook becomes a message,
// and a batch becomes a ticket.
func TestPackages(t *testing.T) {
	w := newWorld(t)
	w.ingest = w.startPackage(t, "IngestFunction")
	w.worker = w.startPackage(t, "WorkerFunction")
	w.send(t, "from arm64")
	eventually(t, "there is a ticket", func() { w.deliver(t) }, func() bool { return len(w.centercode.Tickets()) > 0 })
	if got := w.summaries(); got["from arm64"] != 1 || len(got) != 1 || depth(t, w.work) != "0+0" {
		t.Errorf("tickets %v, %s messages", got, depth(t, w.work))
	}
}

// startPackage builds a function's package, and starts it.
func (w *world) startPackage(t *testing.T, function string) invoke {
	t.Helper()
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Fatalf("the packages need QEMU's user mode emulation (Debian: apt-get install qemu-user): %v", err)
	}
	dir := filepath.Join(account.dir, function)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "make", "--no-print-directory", "build-"+function, "ARTIFACTS_DIR="+dir, "FAIRBRIDGE_CONFIG="+w.config)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bootstrap := filepath.Join(dir, "bootstrap")
	binary, err := elf.Open(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if binary.Machine != elf.EM_AARCH64 {
		t.Fatalf("the package is for %s", binary.Machine)
	}

	ports := make([]int, 2)
	for i := range ports {
		if ports[i], err = standin.FreePort(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_LAMBDA_FUNCTION_NAME=" + function, "LAMBDA_TASK_ROOT=" + dir, "FAIRBRIDGE_CONFIG=fairbridge.yaml"}
	for name, value := range w.env {
		if name != "FAIRBRIDGE_CONFIG" { // the package's own
			env = append(env, name+"="+value)
		}
	}
	url := "http://127.0.0.1:" + strconv.Itoa(ports[0])
	p, err := standin.Start(t.Context(), standin.Config{
		Name: function, Needs: "make standins, which builds it", Dir: dir, Env: env, Ready: url, Any: true,
		Command: []string{tool("aws-lambda-rie"), "--runtime-interface-emulator-address", "127.0.0.1:" + strconv.Itoa(ports[0]),
			"--runtime-api-address", "127.0.0.1:" + strconv.Itoa(ports[1]), qemu, bootstrap},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(p.Tail())
		}
	})
	return func(ctx context.Context, event, response any) error {
		payload, err := json.Marshal(event)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/2015-03-31/functions/function/invocations", bytes.NewReader(payload))
		if err != nil {
			return err
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(io.LimitReader(resp.Body, 6<<20))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, response); err != nil {
			return fmt.Errorf("%w: %s", err, answer)
		}
		return nil
	}
}
