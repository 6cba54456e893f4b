package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// building measures what new users and contributors wait for, with --long only.
var building = experiment{
	name: "building",
	once: true,
	figures: []figure{
		{Key: "build.first", What: "the command, first build without a cache", Unit: "s", Floor: "what it depends on alone", Must: reported},
		{Key: "test.cold", What: "make test, without a cache", Unit: "s", Must: reportedValue},
		{Key: "test.warm", What: "make test again, with what was built", Unit: "s", Must: reportedValue},
	},
	open: func(tb testing.TB, l *lab) round {
		const command = "fairbridge/cmd/fairbridge"
		list := exec.CommandContext(tb.Context(), "go", "list", "-deps", command)
		list.Dir = l.root
		out, err := list.Output()
		if err != nil {
			tb.Fatal(err)
		}
		depends := []string{"go", "build"}
		for name := range strings.FieldsSeq(string(out)) {
			if !strings.HasPrefix(name, "fairbridge/") {
				depends = append(depends, name)
			}
		}
		return func(tb testing.TB) []sample {
			first := sample{l.took(tb, tb.TempDir(), "go", "build", "-o", "/dev/null", command), l.took(tb, tb.TempDir(), depends...)}
			cache := tb.TempDir()
			cold := l.took(tb, cache, "make", "test", "ARGS=-count=1")
			return []sample{first, {value: cold}, {value: l.took(tb, cache, "make", "test", "ARGS=-count=1")}}
		}
	},
}

// took runs a command in the module with a separate build cache, and returns how many
// seconds it took.
func (l *lab) took(tb testing.TB, cache string, command ...string) float64 {
	cmd := exec.CommandContext(tb.Context(), command[0], command[1:]...)
	cmd.Dir = l.root
	cmd.Env = append(cmd.Environ(), "GOCACHE="+cache)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(command[:2], " "), err, out.Bytes())
	}
	return time.Since(began).Seconds()
}
