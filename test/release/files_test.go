//go:build release && linux

// Package release checks the files that `make release-snapshot` has built: each has the
// right content, and does what the README promises on a machine without Go.
package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	repository = "../.."
	files      = repository + "/.build/release"
)

// TestChecksums: checksums.txt covers every file, correctly.
func TestChecksums(t *testing.T) {
	entries, err := os.ReadDir(files)
	if err != nil {
		t.Fatalf("%v; `make release-snapshot` builds it", err)
	}
	var list strings.Builder
	for _, e := range entries {
		if e.Name() != "checksums.txt" {
			text := load(t, filepath.Join(files, e.Name()))
			fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(text), e.Name())
		}
	}
	if got := string(load(t, filepath.Join(files, "checksums.txt"))); got != list.String() {
		t.Errorf("checksums.txt is\n%swant\n%s", got, list.String())
	}
	for _, name := range []string{here("fairbridge_linux_%s.tar.gz"), here("fairbridge_%s.deb"), "fairbridge_aws.tar.gz"} {
		if !strings.Contains(list.String(), "  "+name+"\n") {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestArchives: each archive has the command for its platform, without symbols or paths of
// the build machine, and everything that belongs to it.
func TestArchives(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join(files, "fairbridge_*_*.[tz]*"))
	if err != nil || len(archives) < 2 {
		t.Fatalf("want this platform's and another's: %q (%v)", archives, err)
	}
	for _, path := range archives {
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		t.Run(name, func(t *testing.T) {
			words := strings.Split(name, "_")
			system, arch := words[1], words[2]
			got, command := unpack(t, path), "fairbridge/fairbridge"
			if system == "windows" {
				command += ".exe"
			}
			for _, want := range []string{"LICENSE", "README.md", "CHANGELOG.md", "fairbridge.yaml", "docs/operations.md", "events/feedback.json", "deploy/systemd/fairbridge.service"} {
				if !bytes.Equal(got["fairbridge/"+want], load(t, filepath.Join(repository, want))) {
					t.Errorf("%s is not the repository's", want)
				}
			}
			for _, shell := range []string{"fairbridge.bash", "_fairbridge", "fairbridge.fish", "fairbridge.ps1"} {
				if len(got["fairbridge/completions/"+shell]) < 1000 {
					t.Errorf("the completion %s is missing", shell)
				}
			}
			info := checkBinary(t, got[command], system, arch)
			third := got["fairbridge/THIRD_PARTY_LICENSES"]
			for _, m := range info.Deps {
				if !bytes.Contains(third, []byte("\n"+m.Path+"@"+m.Version+": ")) {
					t.Errorf("the licence of %s is missing", m.Path)
				}
			}
			checkBill(t, name, info)
			if system == "linux" {
				// The package has the same command.
				out := t.TempDir()
				do(t, "", "dpkg-deb", "--extract", filepath.Join(files, "fairbridge_"+arch+".deb"), out)
				if !bytes.Equal(load(t, filepath.Join(out, "usr/bin/fairbridge")), got[command]) {
					t.Error("the .deb has another command than the archive")
				}
			}
		})
	}
}

// checkBinary checks that a binary is for its platform, and returns its build information.
func checkBinary(t *testing.T, binary []byte, system, arch string) *buildinfo.BuildInfo {
	t.Helper()
	r := bytes.NewReader(binary)
	var machine fmt.Stringer
	var symbols int
	switch system {
	case "linux":
		f, err := elf.NewFile(r)
		if err != nil {
			t.Fatal(err)
		}
		if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
			t.Errorf("it needs %q (%v)", libraries, err)
		}
		list, err := f.Symbols()
		if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
			t.Error(err)
		}
		machine, symbols = f.Machine, len(list)
	case "darwin":
		f, err := macho.NewFile(r)
		if err != nil {
			t.Fatal(err)
		}
		machine = f.Cpu
	case "windows":
		f, err := pe.NewFile(r)
		if err != nil {
			t.Fatal(err)
		}
		machine, symbols = number(f.Machine), len(f.Symbols)
	}
	want := map[string]fmt.Stringer{
		"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64,
		"darwin/amd64": macho.CpuAmd64, "darwin/arm64": macho.CpuArm64,
		"windows/amd64": number(pe.IMAGE_FILE_MACHINE_AMD64), "windows/arm64": number(pe.IMAGE_FILE_MACHINE_ARM64),
	}[system+"/"+arch]
	if machine != want || symbols > 0 {
		t.Errorf("for %v with %d symbols, want %v without", machine, symbols, want)
	}
	info, err := buildinfo.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) == 0 {
		t.Error("it does not say which modules it was built from")
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(binary, []byte(root)) {
		t.Errorf("%s is in it", root)
	}
	return info
}

type number int

func (n number) String() string { return fmt.Sprint(int(n)) }

// checkBill compares a bill of materials with CycloneDX's schema, and with the modules of
// the binary.
func checkBill(t *testing.T, name string, info *buildinfo.BuildInfo) {
	t.Helper()
	path := filepath.Join(files, name+".cdx.json")
	// checkov depends on CycloneDX's own library, which contains the schemas.
	const validate = `import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(error.data.message) if error else 0)`
	do(t, "", filepath.Join(repository, ".build/venv/checkov/bin/python"), "-c", validate, path)
	var bill struct {
		Components []struct{ PURL string }
	}
	if err := json.Unmarshal(load(t, path), &bill); err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	var got []string
	for _, c := range bill.Components {
		got = append(got, c.PURL)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s names\n%q, want\n%q", path, got, want)
	}
}

// TestCompletion: bash accepts the completion, which asks the command.
func TestCompletion(t *testing.T) {
	folder := t.TempDir()
	do(t, folder, "tar", "xzf", absolute(t, here(files+"/fairbridge_linux_%s.tar.gz")))
	const script = `source fairbridge/completions/fairbridge.bash && complete -p fairbridge >/dev/null || exit 1
PATH=$PWD/fairbridge:$PATH
COMP_WORDS=(fairbridge stat) COMP_CWORD=1 COMP_LINE="fairbridge stat" COMP_POINT=15
_get_comp_words_by_ref() { cur=stat prev=fairbridge words=(fairbridge stat) cword=1; }
__start_fairbridge
echo "${COMPREPLY[@]}"`
	said := do(t, folder, "bash", "--norc", "-c", script)
	if !strings.Contains(said, "stats") || !strings.Contains(said, "status") {
		t.Errorf("fairbridge stat completes to %q", said)
	}
}

// unpack returns the files of an archive. All must be in one folder, and have no owner.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	got := map[string][]byte{}
	add := func(name string, mode fs.FileMode, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		if program := strings.HasPrefix(base, "fairbridge") && !strings.Contains(strings.TrimSuffix(base, ".exe"), ".") || base == "bootstrap"; program != (mode == 0o755) || !filepath.IsLocal(name) {
			t.Errorf("%s has mode %o", name, mode)
		}
		got[name] = text
	}
	if strings.HasSuffix(path, ".zip") {
		archive, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode().Perm(), r)
			_ = r.Close()
		}
		return got
	}
	compressed, err := gzip.NewReader(bytes.NewReader(load(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(compressed); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s is of %d:%d (%s)", h.Name, h.Uid, h.Gid, h.Uname)
		}
		add(h.Name, h.FileInfo().Mode().Perm(), archive)
	}
}

// do runs a program, which must succeed, and returns its output.
func do(t *testing.T, folder, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = folder
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said)
	}
	return string(said)
}

func load(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
