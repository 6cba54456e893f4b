//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/telemetry"
)

const consolePassword = "canary-console-password"

// consoleOf is a console of the stack in a process of its own, and a signed-in browser.
type consoleOf struct {
	t    *testing.T
	url  string
	http *http.Client
}

// openConsole starts the console with the permissions of all the stack's policies, and
// signs in with its password.
func (w *world) openConsole(t *testing.T, person []string, args ...string) *consoleOf {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(w.dir, "fairbridge"), append([]string{"console", "--stack", stackName, "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = w.dir, slices.Concat(w.env, w.commandEnvironment(), person)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the console ends with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &consoleOf{t: t, url: strings.TrimSpace(strings.TrimPrefix(line, "Console: ")), http: &http.Client{Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if status, _, body := c.do(http.MethodPost, "/enter", url.Values{"password": {consolePassword}}); status != http.StatusOK {
		t.Fatalf("the password does not let in: %d %s", status, body)
	}
	return c
}

func (c *consoleOf) request(method, path string, form url.Values) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

func (c *consoleOf) do(method, path string, form url.Values) (status int, location, body string) {
	c.t.Helper()
	resp := c.request(method, path, form)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// until waits until a page has the texts.
func (c *consoleOf) until(path string, texts ...string) (body string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.t.Log(body)
		}
	}()
	eventually(c.t, path+" has "+strings.Join(texts, " and "), func() bool {
		_, _, body = c.do(http.MethodGet, path, nil)
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(body, text) })
	})
	return body
}

// post posts a form, which must be accepted, and returns the address of the redirect.
func (c *consoleOf) post(path string, form url.Values) string {
	c.t.Helper()
	status, location, body := c.do(http.MethodPost, path, form)
	if status != http.StatusSeeOther {
		c.t.Fatalf("%s: %d\n%s", path, status, body)
	}
	return location
}

// TestConsole: the console of the deployed stack shows it and works on it, with the
// permissions that the stack's policies give. The pause affects every test, so this one
// does not run in parallel.
func TestConsole(t *testing.T) {
	bridge.mustRun(t, consolePassword, "secrets", "put", secrets.ConsolePassword, "--stack", stackName)
	person := bridge.newPerson(t, []string{"ReaderPolicy", "OperatorPolicy", "KeysPolicy"})
	c := bridge.openConsole(t, person)

	done := bridge.accept(t, bridge.feedback(t, nil))
	ticket := bridge.ticket(t, done)
	severe := bridge.accept(t, bridge.feedback(t, map[string]any{"appName": "Severe", "severity": "Terrible"}))
	refused := bridge.feedback(t, map[string]any{"appName": "Parked"})
	tried := deliveryID(t, refused)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(tried), Status: 404})
	bridge.accept(t, refused)
	for _, id := range []string{severe, tried} {
		eventually(t, id+" is dead", func() bool { return bridge.entry(t, id).State == ledger.Dead })
	}

	// The emulator makes no metrics from the functions' logs. CloudWatch does; TestMeasured
	// of pkg/deliveries holds that they are the requested ones.
	for metric, value := range map[string]string{"Received": "4711", "TicketsCreated": "4700", "WebhookToTicket": "1500"} {
		function := "ingest"
		if metric != "Received" {
			function = "worker"
		}
		if err := bridge.aws(t.Context(), nil, "cloudwatch", "put-metric-data", "--namespace", telemetry.Namespace, "--metric-name", metric,
			"--dimensions", fmt.Sprintf("%s=%s-%s", telemetry.Service, stackName, function), "--value", value); err != nil {
			t.Fatal(err)
		}
	}
	now := c.until("/", "2 feedbacks need a person, for 2 causes", "rejected at DEMO/testfairy (HTTP 400)", "<span>4,711</span>", "<span>4,700</span>")
	if !strings.Contains(now, `<path class="l"`) {
		t.Errorf("the time to the ticket is not drawn:\n%s", now)
	}

	began := time.Now()
	resp := c.request(http.MethodGet, "/deliveries?q="+url.QueryEscape(t.Name()), nil)
	first := time.Since(began)
	list, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the list of deliveries begins after %s, and has %d bytes after %s", first, len(list), time.Since(began))
	for _, id := range []string{done, severe, tried} {
		if !strings.Contains(string(list), id) {
			t.Errorf("the list does not have %s:\n%s", id, list)
		}
	}
	c.until("/deliveries/"+done, "Ticket", ticket.ID, "the webhook arrived", "an attempt completed it")

	// One is corrected, the other retried as one of its group.
	form := url.Values{"field severity": {"High"}}
	if status, _, body := c.do(http.MethodPost, "/deliveries/"+severe+"/edit", form); status != http.StatusOK || !strings.Contains(body, "<ins>&#34;High&#34;</ins>") {
		t.Errorf("the correction: %d\n%s", status, body)
	}
	c.post("/deliveries/"+severe+"/replay", url.Values{"set": {"severity=High"}})
	if fixed := bridge.ticket(t, severe); fixed.Fields["severity"] != "High" {
		t.Errorf("the ticket has %s", fixed.Body)
	}
	if who := c.until("/deliveries/"+severe, "corrected severity", "replayed it"); !regexp.MustCompile(`arn:aws:\S+user/\S+ corrected`).MatchString(who) {
		t.Errorf("it does not say who:\n%s", who)
	}
	group := regexp.MustCompile(`/letters/[0-9a-f]+`).FindString(c.until("/letters", "1 feedback: not found"))
	readOnly := bridge.openConsole(t, person, "--read-only")
	for path, form := range map[string]url.Values{
		"/pause": {"because": {"a"}, "for": {"1h"}}, "/resume": {}, group + "/replay": {"first": {"1"}}, group + "/drop": {"because": {"a"}, "sure": {"1"}},
		"/deliveries/" + tried + "/replay": {}, "/deliveries/" + tried + "/drop": {"because": {"a"}},
	} {
		if status, _, _ := readOnly.do(http.MethodPost, path, form); status != http.StatusForbidden {
			t.Errorf("%s on a console that only shows: %d", path, status)
		}
	}
	readOnly.until(group, "1 feedback: not found")
	c.until(c.post(group+"/replay", url.Values{"first": {"1"}}), "1 completed")
	bridge.ticket(t, tried)

	c.post("/pause", url.Values{"because": {"a test"}, "for": {"1h"}})
	defer bridge.mustRun(t, "", "resume", "--stack", stackName)
	held := bridge.accept(t, bridge.feedback(t, nil))
	c.until("/", "Delivery is paused. 1 feedback waits; nothing is lost.", "a test")
	c.until("/deliveries/"+held, "waiting")
	if n := len(bridge.tickets(held)); n != 0 {
		t.Errorf("a paused bridge has made %d tickets", n)
	}
	c.post("/resume", url.Values{"project": {""}})
	bridge.ticket(t, held)
	// Other tests have had webhooks refused, so the page need not say that all is well.
	c.until("/", `<dt>Dead letters</dt><dd><a href="/letters">0</a>`, `<span class="tag ok">well</span>`)
	bridge.checkNoLetters(t)
	bridge.waitIdle(t)
}
