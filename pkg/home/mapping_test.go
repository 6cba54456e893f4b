package home_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/mapping"
)

const shown = "centercode: {baseUrl: http://127.0.0.1:9}\n" +
	`routes: [{match: {event: feedback}, project: DEMO, source: testfairy, fields: {summary: "{{ .text }}"}}]` + "\n"

// TestMappingThatIsShown checks which mapping a preview uses: the running one, whatever
// file is on disk; without a running one, the file that the next start would read; or the
// file that the user names.
func TestMappingThatIsShown(t *testing.T) {
	t.Chdir(t.TempDir())
	folder := t.TempDir()
	h := open(t, folder)
	stack := *h
	stack.Place = home.Place{Stack: "prod"}
	l := ledgertest.New(t, ledger.Config{Store: h.Ledger, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	write := func(file, project string) *mapping.Config {
		t.Helper()
		text := strings.Replace(shown, "DEMO", project, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := mapping.Parse(file, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := func(h *home.Home, file string, given bool, project string, runs bool, by string) {
		t.Helper()
		m, err := h.Mapping(t.Context(), file, given)
		if err != nil {
			t.Error(err)
			return
		}
		got := ""
		if m.Config != nil {
			got = m.Config.Routes[0].Project
		}
		if got != project || m.Runs != runs || m.By != by {
			t.Errorf("got %s, %t, %q; want %s, %t, %q", got, m.Runs, m.By, project, runs, by)
		}
	}
	const file = "fairbridge.yaml"
	want(h, file, false, "", false, "")
	if _, err := h.Mapping(t.Context(), file, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	one := write(file, "ONE")
	want(h, file, false, "ONE", false, "fairbridge.yaml as it is now: no bridge runs in this folder")
	want(&stack, file, false, "ONE", false, "fairbridge.yaml here: no running mapping is recorded yet")

	hash := one.Hash()[:12]
	if err := l.NowRuns(t.Context(), ledger.Running{Hash: one.Hash(), File: file}, string(one.Document())); err != nil {
		t.Fatal(err)
	}
	write(file, "TWO")
	write("three.yaml", "THREE")
	by := "the mapping that has run since 2026-01-02 03:04 UTC (" + hash + ")"
	another := by + "; fairbridge.yaml here is another, which --config fairbridge.yaml tries"
	want(h, file, false, "TWO", false, "fairbridge.yaml as it is now: no bridge runs in this folder")
	want(h, "none.yaml", false, "ONE", false, "the mapping that ran last ("+hash+"): no bridge runs in this folder")
	want(&stack, file, false, "ONE", true, another)
	want(&stack, "none.yaml", false, "ONE", true, by)

	h = running(t, folder)
	want(h, file, false, "ONE", true, another)
	want(h, file, true, "TWO", false, "fairbridge.yaml, which is not what runs")
	want(h, "three.yaml", true, "THREE", false, "three.yaml, which is not what runs")
	write(file, "ONE")
	want(h, file, false, "ONE", true, by)
	want(h, file, true, "ONE", true, "fairbridge.yaml, which is what runs")
	// A stack's Centercode comes from its environment.
	stack.CentercodeBaseURL = "https://elsewhere.example.com"
	want(&stack, file, true, "ONE", false, "fairbridge.yaml, which is not what runs")
}

// running opens a folder in which a bridge seems to run.
func running(t *testing.T, folder string) *home.Home {
	t.Helper()
	bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	t.Cleanup(bridge.Close)
	if err := home.WriteRunning(folder, strings.TrimPrefix(bridge.URL, "http://")); err != nil {
		t.Fatal(err)
	}
	return open(t, folder)
}

// TestStatusOfTheMapping checks that status shows the running mapping, and requests the
// Centercode that it names.
func TestStatusOfTheMapping(t *testing.T) {
	t.Chdir(t.TempDir())
	folder := t.TempDir()
	h := running(t, folder)
	if s := h.Status(t.Context(), home.StatusOptions{Config: "fairbridge.yaml"}); s.Mapping != nil {
		t.Errorf("got %+v", s.Mapping)
	}
	c, err := mapping.Parse("", []byte(shown))
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/other.yaml"
	l := ledgertest.New(t, ledger.Config{Store: h.Ledger, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	step := func(text, problem string, want home.MappingStatus, message string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.NowRuns(t.Context(), ledger.Running{Hash: c.Hash(), File: file, Problem: problem}, string(c.Document())); err != nil {
			t.Fatal(err)
		}
		want.Hash, want.Since, want.File = c.Hash(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), file
		s := h.Status(t.Context(), home.StatusOptions{Config: "fairbridge.yaml"})
		if s.Mapping == nil || *s.Mapping != want || s.Centercode.BaseURL != "http://127.0.0.1:9" {
			t.Errorf("got %+v, %+v; want %+v", s.Mapping, s.Centercode, want)
		}
		all := append(slices.Clone(s.Notes), s.Problems...)
		if message != "" && !slices.Contains(all, message) || message == "" && strings.Contains(strings.Join(all, ""), file) {
			t.Errorf("got %q; want %q", all, message)
		}
	}
	step(shown, "", home.MappingStatus{}, "")
	step("# a comment makes no difference\n"+shown, "", home.MappingStatus{}, "")
	step(strings.Replace(shown, "DEMO", "OTHER", 1), "", home.MappingStatus{Differs: true}, file+" has changed, and is about to run")
	step("routes: [\n", "line 1: no", home.MappingStatus{Differs: true, Problem: "line 1: no"},
		file+" cannot run as it is, and the previous mapping stays in use: line 1: no")
}
