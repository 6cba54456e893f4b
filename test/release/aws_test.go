//go:build release && linux

package release

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAWS follows the README with the package for AWS on a machine without Go: the output
// of `sam build` equals, byte for byte, what `make build` has built from the sources.
func TestAWS(t *testing.T) {
	folder := t.TempDir()
	do(t, folder, "tar", "xzf", absolute(t, files+"/fairbridge_aws.tar.gz"))
	do(t, folder, "tar", "xzf", absolute(t, here(files+"/fairbridge_linux_%s.tar.gz")))
	unpack(t, files+"/fairbridge_aws.tar.gz") // for its modes
	here := filepath.Join(folder, "fairbridge-aws")
	for _, name := range []string{"template.yaml", "samconfig.toml"} {
		if !bytes.Equal(load(t, filepath.Join(here, name)), load(t, filepath.Join(repository, name))) {
			t.Errorf("%s is not the repository's", name)
		}
	}
	const mine = "# This team's own.\n"
	config := append(load(t, filepath.Join(here, "fairbridge.yaml")), mine...)
	if err := os.WriteFile(filepath.Join(here, "fairbridge.yaml"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + folder, "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=us-east-1",
		"PATH=" + filepath.Join(folder, "fairbridge") + ":" + absolute(t, repository+"/.build/venv/sam/bin") + ":/usr/bin:/bin"}
	sam := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", "if command -v go; then exit 9; fi; sam build")
		cmd.Dir, cmd.Env = here, env
		return cmd.CombinedOutput()
	}
	if said, err := sam(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for function, resource := range map[string]string{"ingest": "IngestFunction", "worker": "WorkerFunction"} {
		built := filepath.Join(here, ".aws-sam/build", resource)
		entries, err := os.ReadDir(built)
		if err != nil || len(entries) != 2 {
			t.Errorf("%s has %v (%v)", resource, entries, err)
		}
		bootstrap := load(t, filepath.Join(built, "bootstrap"))
		if !bytes.Equal(bootstrap, load(t, filepath.Join(repository, ".build/lambda", function, "bootstrap"))) {
			t.Errorf("%s is another one than `make build` has built", resource)
		}
		if !bytes.Equal(load(t, filepath.Join(built, "fairbridge.yaml")), config) {
			t.Errorf("%s has another fairbridge.yaml than was edited", resource)
		}
		info, err := buildinfo.Read(bytes.NewReader(bootstrap))
		if err != nil {
			t.Fatal(err)
		}
		checkBinary(t, bootstrap, "linux", "arm64")
		checkBill(t, "fairbridge_aws_"+function, info)
	}
	// A mistake in the file ends the build.
	if err := os.WriteFile(filepath.Join(here, "fairbridge.yaml"), append(config, "rotues: []\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := sam(); err == nil || !bytes.Contains(said, []byte("rotues")) {
		t.Errorf("a mistake in fairbridge.yaml is built (%v):\n%s", err, said)
	}
}
