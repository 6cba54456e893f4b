//go:build browser

package console_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/console"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/mapping"
)

// opens loads one of the console's pages.
func (b *tab) opens(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.w.console.URL()+path), chromedp.WaitVisible("footer"))
}

// clicks clicks a link or a button by its text.
func (b *tab) clicks(words string) {
	b.t.Helper()
	b.run(chromedp.Click(fmt.Sprintf("//main//*[self::a or self::button][normalize-space()='%s']", words)))
}

// operating maps the commands of the README's table, by their beginning, to the same task
// in the console; nil for those that docs/console.md leaves to the command.
func operating(b *tab, rejected []string) map[string]func() {
	w := b.w
	const text, tester = "It crashes on login", "tester@example.com"
	letter := func(n int) string { return "/deliveries/" + rejected[n] }
	return map[string]func(){
		"status": func() {
			m, err := mapping.Load(w.config)
			if err != nil {
				b.t.Fatal(err)
			}
			b.opens("/")
			b.sees("5 feedbacks need a person, for 2 causes.")
			b.sees(m.Hash()[:8])
			b.sees("same as the file")
		},
		"console": func() {
			link, err := console.LinkTo(w.folder, time.Now())
			if err != nil {
				b.t.Fatal(err)
			}
			b.run(chromedp.Navigate(link), chromedp.WaitVisible("nav"))
		},
		"find tester": func() {
			b.opens("/deliveries")
			at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
			b.run(chromedp.SetValue("main input[name=q]", tester), chromedp.SetValue("input[name=since]", at(-time.Hour)), chromedp.SetValue("input[name=until]", at(time.Hour)))
			b.clicks("Find")
			b.waits(`location.search.includes("since=2") && document.readyState == "complete"`)
			b.sees(text)
			b.finds(`main a[href="` + w.base + `/tickets/1"]`)
		},
		`find "crashes`: func() {
			for _, known := range []string{"crashes on login", "Demo App", "sessions/77"} {
				b.run(chromedp.SetValue("header input", known), chromedp.Submit("header input"))
				b.waits(fmt.Sprintf(`new URLSearchParams(location.search).get("q") == %q && document.readyState == "complete"`, known))
				b.sees("fairbridge find ")
				b.sees(text)
			}
			b.opens("/deliveries?ticket=1")
			b.sees(text)
		},
		"show ID": func() {
			b.run(chromedp.Click("main tbody a[href^='/deliveries/']", chromedp.ByQuery))
			b.sees("the webhook arrived")
			b.sees("an attempt completed it")
			b.finds(`a[href="https://app.testfairy.com/projects/1/builds/2/sessions/77"]`)
		},
		"stats": func() {
			b.opens("/")
			b.clicks("7 d")
			b.sees("Last 7 days")
			b.sees("Received\n6")
			b.sees("p50")
			b.waits(`[...document.querySelectorAll("table td")].some(cell => cell.innerText.trim() == "Demo App")`)
		},
		"dlq list": func() {
			b.run(chromedp.Click("//nav//a[contains(., 'Dead letters')]"))
			b.sees("3 feedbacks: not found at DEMO/testfairy (HTTP 404)")
			b.sees("2 feedbacks: rejected at DEMO/testfairy (HTTP 400)")
		},
		"dlq show": func() {
			b.opens(letter(0))
			b.sees("What is wrong")
			b.sees(deadletter.AdviceRejected.What)
			b.sees("fairbridge dlq replay " + rejected[0][:12])
		},
		"dlq replay ID --dry-run": func() {
			b.sees("A replay would send")
			b.sees(`"submitter": "nobody@example.com"`)
		},
		"dlq replay ID --wait": func() {
			b.clicks("Replay")
			b.sees("an attempt completed it")
		},
		"dlq replay --reason": func() {
			b.opens("/letters")
			b.clicks("Try on one")
			b.sees("1 completed")
			b.clicks("Back to the others")
			b.sees("Replay all 2")
			b.clicks("Replay all")
			b.sees("2 completed")
		},
		"dlq edit": func() {
			b.opens(letter(1))
			b.clicks("Correct and replay")
			b.run(chromedp.SetValue(`input[name="field email"]`, tester, chromedp.ByQuery))
			b.clicks("Preview the request")
			b.sees("Changes")
			b.sees(`"submitter": "` + tester + `"`)
			b.clicks("Replay with these changes")
			b.sees("corrected email")
			b.sees("an attempt completed it")
		},
		"status --json": func() {
			b.opens("/deliveries?state=completed")
			var csv string
			b.value(`document.querySelector("a[href^='/deliveries.csv']").href`, &csv)
			if rows := w.page(strings.TrimPrefix(csv, w.console.URL())); strings.Count(rows, "\n") != 7 || !strings.HasPrefix(rows, "deliveryId,") {
				b.t.Errorf("the CSV is\n%s", rows)
			}
		},
		"reconcile": nil, "forget": nil, "secrets put centercode-api-key": nil, "secrets put webhook-token --rotate": nil, "send": nil,
	}
}

// TestBrowserOperate checks that each command of the README's table can be done in the
// console, unless docs/console.md excludes it.
func TestBrowserOperate(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "\n## Operate\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| .* \\| `fairbridge ([^`]+)`.*\\|$").FindAllStringSubmatch(table, -1)

	w := newWorld(t, console.Config{})
	w.send(map[string]any{"text": "It crashes on login", "email": "tester@example.com", "sessionUrl": "https://app.testfairy.com/projects/1/builds/2/sessions/77"})
	w.hasTickets(1)
	var rejected []string
	for i := range 2 {
		w.center.Inject(simulator.Fault{Op: simulator.OpCreate, Status: http.StatusBadRequest, Answer: `{"status":400,"description":"The submitter is not a user of this project."}`})
		rejected = append(rejected, w.send(map[string]any{"text": fmt.Sprintf("rejected %d", i), "email": "nobody@example.com"}))
		w.until("/", has(fmt.Sprintf("%d feedback", i+1), "rejected at DEMO"))
	}
	w.refuse(http.StatusNotFound, 3)
	for i := range 3 {
		w.send(map[string]any{"text": fmt.Sprintf("not found %d", i)})
	}
	w.until("/", has("5 feedbacks need a person"))

	b := newTab(t, w)
	journeys := operating(b, rejected)
	for _, row := range rows {
		name := ""
		for begins := range journeys {
			if strings.HasPrefix(row[1], begins) && len(begins) > len(name) {
				name = begins
			}
		}
		journey, known := journeys[name]
		switch {
		case !known:
			t.Fatalf("no journey for the README's %q", row[1])
		case journey != nil:
			t.Log(row[1])
			journey()
			b.noComplaints(row[1])
		case !strings.Contains(string(doc), "`"+strings.Fields(name)[0]+"`"):
			t.Errorf("docs/console.md does not leave %q to the command", row[1])
		}
		delete(journeys, name)
	}
	if len(journeys) > 0 {
		t.Errorf("the README's table lacks %v", journeys)
	}
	b.opens("/")
	b.sees("All is well.")
}
