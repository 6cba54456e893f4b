// Command release builds the files of a release: archives of the command, Debian
// packages, the functions ready for `sam deploy`, a bill of materials of each binary,
// and checksums. The same commit gives the same bytes.
//
//	go run -C tools ./release --out ../.build/release
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// targets are the platforms that the command is released for.
var targets = []target{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// target is a platform, as GOOS and GOARCH name it.
type target struct{ system, arch string }

func (t target) String() string { return t.system + "/" + t.arch }

// release is what every file of a release has in common.
type release struct {
	root      string    // the repository
	work      string    // binaries, and what goes into archives; left for the next build
	out       string    // the files of the release
	functions string    // what `make build` made
	version   string    // as the command prints it, without v
	commit    string    // with -modified where the sources differ from it
	when      time.Time // the commit's; that of every file
	host      string    // the command, for this machine
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("out", "../.build/release", "folder for the files; what is in it is removed")
	functions := flags.String("functions", "../.build/lambda", "folder that `make build` has built the functions into")
	only := flags.String("only", "", "platforms, as in linux/amd64,windows/arm64; all of them if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	r := &release{}
	for to, path := range map[*string]string{&r.root: "..", &r.out: *out, &r.functions: *functions, &r.work: *out + "-work"} {
		if *to, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	completions, err := r.completions(ctx)
	if err != nil {
		return err
	}
	for _, t := range chosen {
		if err := r.command(ctx, t, completions); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	if err := r.aws(ctx); err != nil {
		return fmt.Errorf("the package for AWS: %w", err)
	}
	return checksums(r.out)
}

// choose returns the platforms of a list with commas.
func choose(list string) ([]target, error) {
	if list == "" {
		return targets, nil
	}
	var chosen []target
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("--only: there is no release for %q, only for %v", name, targets)
		}
		chosen = append(chosen, targets[i])
	}
	return chosen, nil
}

// prepare builds the command for this machine, and asks it and git which release
// this is.
func (r *release) prepare(ctx context.Context) error {
	stamp := os.Getenv("SOURCE_DATE_EPOCH")
	if stamp == "" {
		text, err := r.output(ctx, nil, "git", "log", "-1", "--format=%ct")
		if err != nil {
			return fmt.Errorf("the commit's time, which SOURCE_DATE_EPOCH may give instead: %w", err)
		}
		stamp = strings.TrimSpace(string(text))
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.when = time.Unix(seconds, 0).UTC()
	commit, err := r.output(ctx, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	changes, err := r.output(ctx, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if r.commit = strings.TrimSpace(string(commit)); len(changes) > 0 {
		r.commit += "-modified"
	}
	if r.host, err = r.build(ctx, target{runtime.GOOS, runtime.GOARCH}); err != nil {
		return err
	}
	text, err := r.output(ctx, nil, r.host, "--version")
	if err != nil {
		return err
	}
	words := strings.Fields(string(text))
	if len(words) < 2 {
		return fmt.Errorf("fairbridge --version printed %q", text)
	}
	r.version = strings.TrimSuffix(words[1], ",")
	return nil
}

// build builds the command and returns its path. Neither paths nor symbol tables
// are in it; version and commit are. Go would not find the commit in a worktree of git.
func (r *release) build(ctx context.Context, t target) (string, error) {
	path := filepath.Join(r.work, t.system+"_"+t.arch, "fairbridge")
	if t.system == "windows" {
		path += ".exe"
	}
	_, err := r.output(ctx, []string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + t.system, "GOARCH=" + t.arch},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X fairbridge/pkg/version.commit="+r.commit, "-o", path, "./cmd/fairbridge")
	return path, err
}

// command makes the archive of the command for one platform, its bill of materials
// and, for Linux, the Debian package.
func (r *release) command(ctx context.Context, t target, completions []file) error {
	binary, err := r.build(ctx, t)
	if err != nil {
		return err
	}
	shared, err := r.documents(ctx, "LICENSE", "README.md", "CHANGELOG.md", "fairbridge.yaml", "fairbridge.schema.json",
		"docs", "events", "deploy", ":!deploy/aws", ":!deploy/debian")
	if err != nil {
		return err
	}
	third, err := r.licences(ctx, binary)
	if err != nil {
		return err
	}
	name := "fairbridge_" + t.system + "_" + t.arch
	if err := r.bill(name, "fairbridge", binary); err != nil {
		return err
	}
	executable, err := read(binary, filepath.Base(binary), 0o755)
	if err != nil {
		return err
	}
	files := slices.Concat([]file{executable, third}, shared, completions)
	if t.system == "windows" {
		return r.zip(name, files)
	}
	if err := r.tarball(name, "fairbridge", files); err != nil || t.system != "linux" {
		return err
	}
	return r.debian(ctx, t, files)
}

// aws makes the package that `sam build` and `sam deploy` take without Go.
func (r *release) aws(ctx context.Context) error {
	files, err := r.documents(ctx, "LICENSE", "README.md", "CHANGELOG.md", "fairbridge.yaml", "fairbridge.schema.json",
		"docs", "events", "template.yaml", "samconfig.toml", "deploy/aws/Makefile")
	if err != nil {
		return err
	}
	for i := range files {
		files[i].name = strings.TrimPrefix(files[i].name, "deploy/aws/")
	}
	var binaries []string
	for _, function := range []string{"ingest", "worker"} {
		binary := filepath.Join(r.functions, function, "bootstrap")
		bootstrap, err := read(binary, "functions/"+function+"/bootstrap", 0o755)
		if err != nil {
			return fmt.Errorf("%w; `make build` builds it", err)
		}
		if err := r.bill("fairbridge_aws_"+function, function, binary); err != nil {
			return err
		}
		files, binaries = append(files, bootstrap), append(binaries, binary)
	}
	third, err := r.licences(ctx, binaries...)
	if err != nil {
		return err
	}
	return r.tarball("fairbridge_aws", "fairbridge-aws", append(files, third))
}

// completions are the files by which shells complete the command.
func (r *release) completions(ctx context.Context) ([]file, error) {
	var files []file
	for _, c := range []struct{ shell, name string }{
		{"bash", "fairbridge.bash"}, {"zsh", "_fairbridge"}, {"fish", "fairbridge.fish"}, {"powershell", "fairbridge.ps1"},
	} {
		text, err := r.output(ctx, nil, r.host, "completion", c.shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "completions/" + c.name, mode: 0o644, text: text})
	}
	return files, nil
}

// output runs a program in the repository and returns what it printed.
func (r *release) output(ctx context.Context, env []string, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	text, err := cmd.Output()
	if err != nil {
		var said *exec.ExitError
		if errors.As(err, &said) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Stderr))
		}
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
	}
	return text, nil
}
