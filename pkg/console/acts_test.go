package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
)

func TestReplayIsOnTheTimeline(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	page := "/deliveries/" + id
	if to := w.post(page+"/replay", nil); to != page+"?done=replayed" {
		t.Errorf("redirects to %s", to)
	}
	body := w.until(page+"?done=replayed", has("an attempt completed it"))
	if !has("Replayed.", w.home.Operator(t.Context())+" replayed it")(body) {
		t.Errorf("got\n%s", body)
	}
}

func TestAPayloadIsCorrectedAndReplayed(t *testing.T) {
	w, id := withLetter(t, console.Config{}, map[string]any{"text": "first\nsecond", "email": "wrong@example.com", "filesize": 7, "nested": map[string]any{"a": 1}})
	page := "/deliveries/" + id
	if body := w.page(page + "/edit"); !has(`<textarea name="field text"`, "first\nsecond", `name="field filesize" value="7"`)(body) || strings.Contains(body, `name="field nested"`) {
		t.Errorf("got\n%s", body)
	}
	form := url.Values{"field text": {"first\r\nsecond"}, "field email": {"wrong@example.com"}, "field filesize": {"7"}, "field appName": {"Demo App"}}
	if status, _, body := w.do(http.MethodPost, page+"/edit", form); status != http.StatusUnprocessableEntity || !strings.Contains(body, "Nothing is changed yet.") {
		t.Errorf("an unchanged form: got %d\n%s", status, body)
	}
	form.Set("field email", "right@example.com")
	status, _, body := w.do(http.MethodPost, page+"/edit", form)
	if status != http.StatusOK || !has("<del>&#34;wrong@example.com&#34;</del> <ins>&#34;right@example.com&#34;</ins>", "&#34;submitter&#34;: &#34;right@example.com&#34;",
		`<input type="hidden" name="set" value="email=right@example.com">`, "--set email=right@example.com")(body) {
		t.Errorf("got %d\n%s", status, body)
	}
	w.nothingHappened(id)
	w.post(page+"/replay", url.Values{"set": {"email=right@example.com"}})
	body = w.until(page, has("an attempt completed it"))
	if !has("corrected email")(body) {
		t.Errorf("got\n%s", body)
	}
	if got := w.center.Tickets()[0].Fields["submitter"]; got != "right@example.com" {
		t.Errorf("the ticket has %v", got)
	}
}

func TestADoubtIsSettled(t *testing.T) {
	for _, test := range []struct {
		name    string
		form    url.Values
		tickets int
		want    string
	}{
		{"there is a ticket", url.Values{"there": {"is"}, "ticket": {"T-77"}}, 1, "T-77"},
		{"there is none", url.Values{"there": {"none"}}, 2, "/tickets/2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, console.Config{})
			w.center.Inject(simulator.Fault{Op: simulator.OpCreate, After: true, Drop: true})
			page := "/deliveries/" + w.send(nil)
			w.until(page, has("Settle the doubt"))
			for _, unclear := range []url.Values{{}, {"there": {"is"}}} {
				if status, _, _ := w.do(http.MethodPost, page+"/settle", unclear); status != http.StatusUnprocessableEntity {
					t.Errorf("%v: got %d", unclear, status)
				}
			}
			w.post(page+"/settle", test.form)
			w.until(page, has(test.want, "an attempt completed it"))
			if n := len(w.center.Tickets()); n != test.tickets {
				t.Errorf("got %d tickets", n)
			}
		})
	}
}

func TestALetterIsDropped(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	page := "/deliveries/" + id
	if status, _, _ := w.do(http.MethodPost, page+"/drop", url.Values{"because": {" "}}); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d", status)
	}
	w.post(page+"/drop", url.Values{"because": {"a test of ours"}})
	if body := w.page(page); !has("dropped", "a test of ours")(body) {
		t.Errorf("got\n%s", body)
	}
	w.until("/", has("All is well."))
	// Another operator who still has the page open gets an error.
	if status, _, body := w.do(http.MethodPost, page+"/replay", nil); status != http.StatusConflict || !strings.Contains(body, "dropped") {
		t.Errorf("got %d\n%s", status, body)
	}
}

func TestAGroupIsDropped(t *testing.T) {
	w, _ := withLetter(t, console.Config{}, nil)
	group := w.group()
	if status, _, _ := w.do(http.MethodPost, group+"/drop", url.Values{"because": {"a"}, "sure": {"2"}}); status != http.StatusConflict {
		t.Errorf("a wrong number of letters: got %d", status)
	}
	if status, _, _ := w.do(http.MethodPost, group+"/drop", url.Values{"because": {" "}, "sure": {"1"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d", status)
	}
	job := w.post(group+"/drop", url.Values{"because": {"a"}, "sure": {"1"}})
	w.until(job, has("1 dropped"))
	w.until("/letters", has("There are no dead letters."))
}

func TestPauseAndResume(t *testing.T) {
	w := newWorld(t, console.Config{})
	for _, bad := range []url.Values{{}, {"because": {"a"}, "for": {"soon"}}, {"because": {"a"}, "for": {"-2h"}}} {
		if status, _, _ := w.do(http.MethodPost, "/pause", bad); status != http.StatusUnprocessableEntity {
			t.Errorf("%v: got %d", bad, status)
		}
	}
	w.post("/pause", url.Values{"because": {"Centercode is upgraded"}, "for": {"2h"}})
	w.send(nil)
	w.until("/", has("Delivery is paused. 1 feedback waits; nothing is lost.", "Centercode is upgraded", "Resume"))
	w.post("/resume", url.Values{"project": {""}})
	if body := w.page("/"); strings.Contains(body, "is paused") {
		t.Errorf("got\n%s", body)
	}
}

// manyLetters returns a world with many dead letters of one cause.
func manyLetters(t *testing.T, many int) *world {
	t.Helper()
	w := newWorld(t, console.Config{})
	w.refuse(http.StatusNotFound, many)
	for i := range many {
		w.send(map[string]any{"text": fmt.Sprint(i)})
	}
	w.until("/", has(fmt.Sprintf("%d feedbacks need a person", many)))
	return w
}

// TestAReplayIsCancelled checks that the letters which a cancelled replay has not sent
// remain dead letters, and can be replayed at once.
func TestAReplayIsCancelled(t *testing.T) {
	w := manyLetters(t, 30)
	job := w.post(w.group()+"/replay", url.Values{"rate": {"2"}})
	w.until(job, has("replaying", "Cancel"))
	w.post(job+"/cancel", nil)
	w.until(job, has("cancelled", "The others were left."))
	w.replaysTheRest()
}

func TestAReplayEndsWithTheConsole(t *testing.T) {
	w := manyLetters(t, 30)
	second, err := console.Listen(t.Context(), "127.0.0.1:0", console.Config{Home: w.home, Config: w.config})
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, second)
	first := w.console
	w.console, w.client = second, browser(t)
	w.page(strings.TrimPrefix(second.Link(), second.URL()))
	job := w.post(w.group()+"/replay", url.Values{"rate": {"2"}})
	w.until(job, has("replaying"))
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second { // at 2 a second the rest would take longer
		t.Errorf("cancelling took %s", took)
	}
	w.console, w.client = first, browser(t)
	w.page(strings.TrimPrefix(first.Link(), first.URL()))
	w.replaysTheRest()
}

// replaysTheRest checks that all remaining letters are available, and become tickets.
func (w *world) replaysTheRest() {
	w.t.Helper()
	job := w.post(w.group()+"/replay", url.Values{"rate": {"1000"}})
	w.until(job, has("completed", "Back to the others"))
	w.until("/", has("All is well."))
	if n := len(w.center.Tickets()); n != 30 {
		w.t.Errorf("got %d tickets", n)
	}
	if q, err := w.home.Depth(w.t.Context(), w.home.DeadLetterQueueURL); err != nil || q.Total() != 0 {
		w.t.Errorf("the dead-letter queue has %+v, %v", q, err)
	}
}

func TestTwoOperatorsReplayTheSame(t *testing.T) {
	w := manyLetters(t, 5)
	group := w.group()
	first := w.post(group+"/replay", url.Values{"rate": {"1000"}})
	status, second, _ := w.do(http.MethodPost, group+"/replay", url.Values{"rate": {"1000"}})
	w.until(first, has("5 completed"))
	if status == http.StatusSeeOther {
		w.until(second, has("Nothing was left to do"))
	} else if status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
	if n := len(w.center.Tickets()); n != 5 {
		t.Errorf("got %d tickets", n)
	}
}

// TestTheBridgeDiesMeanwhile checks that the console outlives the bridge.
func TestTheBridgeDiesMeanwhile(t *testing.T) {
	w, id := withLetter(t, console.Config{}, nil)
	w.stop()
	w.post("/deliveries/"+id+"/replay", nil)
	w.until("/", has("No bridge runs in this folder. 1 feedback waits."))
	w.start()
	w.until("/deliveries/"+id, has("an attempt completed it"))
	w.until("/", has("All is well.")) // although it now listens on another address
}

func TestRefusedWebhooksAreShown(t *testing.T) {
	w := newWorld(t, console.Config{})
	for _, bad := range []string{"[1]", "nothing"} {
		if status, _, err := home.Send(t.Context(), w.bridge.Webhook(), []byte(bad)); err != nil || status < 400 {
			t.Fatalf("got %d, %v", status, err)
		}
	}
	w.until("/refused", has("not json object", `<td class="n">2</td>`))
}

func TestTryShowsWhatBecomesOfAPayload(t *testing.T) {
	w := newWorld(t, console.Config{})
	for payload, want := range map[string]string{
		`{"event":"feedback","text":"a","email":"a@example.com"}`: "It becomes a ticket.",
		`{"event":"crash"}`: "It is ignored: no route wants its kind.",
		`[]`:                "It is refused (HTTP 400).",
		`{"event":`:         "It is refused (HTTP 400).",
	} {
		status, _, body := w.do(http.MethodPost, "/try", url.Values{"payload": {payload}})
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: got %d\n%s", payload, status, body)
		}
	}
	if len(w.center.Tickets()) != 0 {
		t.Error("a preview sent something")
	}
}
