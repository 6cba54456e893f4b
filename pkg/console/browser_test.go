//go:build browser

package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/console"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/mapping"
)

// tab is a page in a Chromium of its own; it collects the browser's complaints.
type tab struct {
	t   *testing.T
	w   *world
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// newTab signs in through a link.
func newTab(t *testing.T, w *world) *tab {
	t.Helper()
	allocated, end := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.Headless, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(time.Minute),
	)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	b := &tab{t: t, w: w, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *page.EventJavascriptDialogOpening:
			b.complain("a dialog: " + e.Message)
			go func() { _ = chromedp.Run(ctx, page.HandleJavaScriptDialog(false)) }()
		case *runtime.EventExceptionThrown:
			b.complain("an exception: " + e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			b.complain(fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	})
	b.run(chromedp.Navigate(w.console.Link()), chromedp.WaitVisible("nav"))
	return b
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// noComplaints checks that the browser has complained about nothing since the last call.
func (b *tab) noComplaints(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complaints {
		b.t.Errorf("%s: %s", where, text)
	}
	b.complaints = nil
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// sees waits until the page contains a text, even if it reloads meanwhile.
func (b *tab) sees(text string) {
	b.t.Helper()
	quoted, _ := json.Marshal(text)
	b.waits(fmt.Sprintf(`document.querySelector("main").innerText.includes(%s)`, quoted))
}

// finds waits until the page shows an element. chromedp's own wait may hang if the browser
// leaves the page meanwhile.
func (b *tab) finds(selector string) {
	b.t.Helper()
	quoted, _ := json.Marshal(selector)
	b.waits(fmt.Sprintf(`document.querySelector(%s).checkVisibility()`, quoted))
}

// waits waits until an expression is true, on whatever page.
func (b *tab) waits(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		var holds bool
		err := chromedp.Run(b.ctx, chromedp.Evaluate(expression, &holds))
		if holds {
			return
		}
		if time.Now().After(deadline) {
			var shown string
			_ = chromedp.Run(b.ctx, chromedp.Evaluate(`location.href + "\n" + document.querySelector("main").innerText`, &shown))
			b.t.Fatalf("timed out waiting for %s (%v):\n%s", expression, err, shown)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-b.ctx.Done():
			b.t.Fatal(b.ctx.Err())
		}
	}
}

func (b *tab) value(expression string, into any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, into))
}

// looks sets the width of the window, and the system's colour scheme.
func (b *tab) looks(width int64, dark bool) {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.run(chromedp.EmulateViewport(width, 800), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// scene returns a world with at least one of everything that the console shows.
func scene(t *testing.T) (w *world, paths map[string]string) {
	t.Chdir(t.TempDir())
	w = newWorldIn(t, home.DefaultFolder, console.Config{Version: "v0.1.0"})
	for i, text := range []string{
		"App doesn't render nicely in landscape", "Login button does nothing after the update, also with the keyboard closed", "java.lang.NullPointerException at MainActivity.onResume",
		"<script>alert(1)</script><img src=x onerror=alert(2)>", "Z̷̢̛a̶͜l̵g̸o̷ \u202ereversed\u202c and a word of " + strings.Repeat("many", 60) + " letters",
	} {
		w.send(map[string]any{"text": text, "email": fmt.Sprintf("tester%d@example.com", i), "sessionUrl": "https://app.testfairy.com/projects/1/builds/2/sessions/3"})
	}
	w.hasTickets(5)
	w.center.Inject(simulator.Fault{Op: simulator.OpCreate, Status: http.StatusNotFound, Times: 40, Answer: `{"status":404,"description":"There is no such External Source."}`})
	for i := range 40 {
		w.send(map[string]any{"text": fmt.Sprintf("The list of orders is empty after a refresh, %d times in a row", i+2)})
	}
	w.until("/", has("40 feedbacks need a person"))
	w.center.Inject(simulator.Fault{Op: simulator.OpCreate, Status: http.StatusBadRequest, Answer: `{"status":400,"description":"The submitter is not a user of this project."}`})
	rejected := w.send(map[string]any{"text": "<script>alert(3)</script>", "email": "nobody@example.com"})
	w.until("/", has("41 feedbacks need a person, for 2 causes"))
	w.center.Inject(simulator.Fault{Op: simulator.OpCreate, After: true, Drop: true})
	doubt := w.send(map[string]any{"text": "The answer to this one is lost"})
	w.until("/", has("42 feedbacks need a person, for 3 causes"))
	resp, err := http.Post(strings.Replace(w.bridge.Webhook(), "token=", "token=x", 1), "application/json", strings.NewReader(`{"event":"feedback"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return w, map[string]string{
		"now": "/", "letters": "/letters", "group": w.group(), "delivery": "/deliveries/" + rejected, "doubt": "/deliveries/" + doubt, "edit": "/deliveries/" + rejected + "/edit",
		"deliveries": "/deliveries", "refused": "/refused", "try": "/try?delivery=" + rejected,
	}
}

// TestBrowserPages checks that each page is accessible at every width, is small, and runs
// nothing that a tester wrote. It saves screenshots to the folder CONSOLE_SCREENSHOTS, if
// set.
func TestBrowserPages(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("AXE"))
	if err != nil {
		t.Fatal("AXE must be the path of axe-core's script, as in make browser: ", err)
	}
	pictures := os.Getenv("CONSOLE_SCREENSHOTS")
	w, paths := scene(t)
	b := newTab(t, w)
	for name, path := range paths {
		for _, size := range []struct {
			name  string
			width int64
			dark  bool
		}{{"1280", 1280, false}, {"390", 390, false}, {"dark", 1280, true}} {
			where := name + " at " + size.name
			b.looks(size.width, size.dark)
			b.run(chromedp.Navigate(w.console.URL()+path), chromedp.WaitVisible("footer"))
			var overflow, bytes int
			b.value(`document.documentElement.scrollWidth - innerWidth`, &overflow)
			b.value(`performance.getEntriesByType("navigation")[0].transferSize`, &bytes)
			if overflow > 0 || bytes > 100<<10 {
				t.Errorf("%s: overflows by %d pixels; has %d bytes", where, overflow, bytes)
			}
			if pictures != "" {
				var picture []byte
				b.run(chromedp.FullScreenshot(&picture, 100))
				if err := os.WriteFile(filepath.Join(pictures, name+"-"+size.name+".png"), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.noComplaints(where)
			var violations []struct {
				ID    string `json:"id"`
				Help  string `json:"help"`
				Nodes []struct{ HTML, FailureSummary string }
			}
			b.run(chromedp.Evaluate(string(axe), nil))
			b.run(chromedp.Evaluate(`axe.run().then(r => r.violations)`, &violations, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			for _, v := range violations {
				t.Errorf("%s: %s: %s: %+v", where, v.ID, v.Help, v.Nodes)
			}
		}
	}
}

// TestBrowserJourney is what an operator on call does: find out what is wrong, fix
// fairbridge.yaml, which a bridge in a folder reloads, replay one letter, then all the
// others.
func TestBrowserJourney(t *testing.T) {
	w := newWorld(t, console.Config{})
	const many = 300
	w.stop()
	w.writeConfig("BETA")
	w.start()
	for i := range many {
		w.send(map[string]any{"text": fmt.Sprint("feedback ", i)})
	}
	w.until("/", has("300 feedbacks need a person, for 1 cause."))
	b := newTab(t, w)
	b.sees("300 feedbacks: not found at BETA/testfairy (HTTP 404)")
	b.sees(deadletter.AdviceNotFound.What)
	w.writeConfig("DEMO")
	fixed, err := mapping.Load(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.until("/", has(fixed.Hash()[:8]))
	b.run(chromedp.Click("//button[text()='Try on one']"))
	b.sees("1 completed")
	b.run(chromedp.Click("//a[text()='Back to the others']"))
	b.sees("Replay all 299")
	b.run(chromedp.SetValue("input[name=rate]", "10"), chromedp.Click("//button[text()='Replay all']"))
	b.finds("progress[max]")
	b.sees("replaying")
	b.run(chromedp.Click("//button[text()='Cancel']"))
	b.sees("The others were left.")
	b.run(chromedp.Click("//a[text()='Back to the others']"))
	b.finds("input[name=rate]")
	b.run(chromedp.SetValue("input[name=rate]", "1000"), chromedp.Click("//button[text()='Replay all']"))
	b.sees("Back to the others")
	b.run(chromedp.Click("nav a"))
	b.sees("All is well.")
	if n := len(w.center.Tickets()); n != many {
		t.Errorf("got %d tickets", n)
	}
	b.noComplaints("the journey")
}

// TestBrowserLive checks that an open page updates itself, but not while the operator is
// typing.
func TestBrowserLive(t *testing.T) {
	w := newWorld(t, console.Config{})
	b := newTab(t, w)
	b.sees("No feedback has come yet.")
	b.run(chromedp.Evaluate("window.same = true", nil))
	w.send(map[string]any{"text": "This one comes while the page is open"})
	b.sees("This one comes while the page is open")
	b.run(chromedp.Click("summary"), chromedp.SendKeys("input[name=because]", "half a sen"))
	w.refuse(http.StatusBadRequest, 1)
	w.send(map[string]any{"text": "And this one dies"})
	b.sees("1 feedback needs a person")
	var typed, utc, shown string
	var same, open bool
	b.value(`document.querySelector("input[name=because]").value`, &typed)
	b.value(`window.same === true`, &same)
	b.value(`document.querySelector("details").open`, &open)
	b.value(`document.querySelector("time").title`, &utc)
	b.value(`document.querySelector("time").textContent`, &shown)
	if typed != "half a sen" || !same || !open {
		t.Errorf("the form contains %q, open: %t, same page: %t", typed, open, same)
	}
	if !strings.HasSuffix(utc, " UTC") || strings.HasSuffix(shown, "UTC") {
		t.Errorf("time shown as %q, with %q", shown, utc)
	}
	b.noComplaints("the live page")
}

// TestBrowserForeignPage checks that another site's page in the operator's browser can
// neither act nor read.
func TestBrowserForeignPage(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	b := newTab(t, w)
	evil := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, `<form method=post action="%[1]s/deliveries/%[2]s/drop"><input name=because value=evil></form><iframe src="%[1]s/"></iframe><main>evil</main>
<script>fetch("%[1]s/", {credentials: "include", mode: "no-cors"}).then(() => document.querySelector("main").innerText = "fetched", () => document.querySelector("main").innerText = "kept out")</script>`, w.console.URL(), id)
	}))
	defer evil.Close()
	b.run(chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)))
	b.sees("kept out")
	b.run(chromedp.Evaluate(`document.forms[0].submit()`, nil))
	b.sees("another site")
	w.nothingHappened(id)
}
