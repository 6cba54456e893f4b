package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairbridge/pkg/console"
)

// figuresOld is when the charts are redrawn.
const figuresOld = 2 * time.Minute

var groupLink = regexp.MustCompile(`href="(/letters/[0-9a-f]+)"`)

// group returns the path of the only group of dead letters.
func (w *world) group() string {
	w.t.Helper()
	body := w.until("/letters", func(body string) bool { return groupLink.MatchString(body) })
	return groupLink.FindStringSubmatch(body)[1]
}

func TestAGroupIsFixedTriedAndReplayed(t *testing.T) {
	w := newWorld(t, console.Config{})
	const many = 12
	w.refuse(http.StatusNotFound, many)
	for i := range many {
		w.send(map[string]any{"text": fmt.Sprintf("feedback %d", i)})
	}
	w.until("/", has(fmt.Sprintf("%d feedbacks need a person, for 1 cause.", many), "Needs a person"))
	group := w.group()
	if body := w.page(group); !has("not found at DEMO/testfairy (HTTP 404)", "fairbridge dlq replay --first 1 --wait --group "+group[len("/letters/"):], "feedback 7")(body) {
		t.Errorf("got\n%s", body)
	}

	job := w.post(group+"/replay", url.Values{"first": {"1"}})
	w.until(job, has("1 completed", "Back to the others"))
	w.until("/", has(fmt.Sprintf("%d feedbacks need a person", many-1)))

	job = w.post(group+"/replay", url.Values{"rate": {"1000"}})
	w.until(job, has(fmt.Sprintf("%d completed", many-1)))
	w.until("/", has("All is well."))
	if n := len(w.center.Tickets()); n != many {
		t.Errorf("got %d tickets", n)
	}
	if status, _, _ := w.do(http.MethodGet, group, nil); status != http.StatusNotFound {
		t.Errorf("the group is still there: %d", status)
	}
}

func TestPagesShowWhatIsThere(t *testing.T) {
	var ahead atomic.Int64
	w := newWorld(t, console.Config{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	for path, want := range map[string]string{
		"/": "No feedback has come yet.", "/letters": "There are no dead letters.", "/deliveries": "Nothing was found.", "/refused": "No webhook was refused.", "/try": "feedback-unicode",
		"/try?sample=crash": "&#34;event&#34;",
	} {
		if body := w.page(path); !strings.Contains(body, want) {
			t.Errorf("%s lacks %q:\n%s", path, want, body)
		}
	}
	id := w.send(map[string]any{"text": "It does not start"})
	w.until("/deliveries/"+id, has("It does not start", "an attempt completed it", w.base+"/tickets/1"))
	ahead.Store(int64(figuresOld))
	w.until("/", has("<b>Tickets</b><span>1</span>", `aria-label="Dead letters: 0 in all, at most 0 at once"`, "p50 ", `<rect class="b"`, "Demo App</bdi>"))
	if body := w.page("/?span=7d"); !has("Last 7 days", `<a href="/?span=7d" aria-current="page">`)(body) {
		t.Errorf("got\n%s", body)
	}
	if body := w.page("/deliveries?q=start"); !has("It does not start", "fairbridge find start")(body) {
		t.Errorf("got\n%s", body)
	}
	if body := w.page("/deliveries?q=nothing"); !has("Nothing was found.")(body) {
		t.Errorf("got\n%s", body)
	}
	if body := w.page("/deliveries.csv?q=start"); !strings.HasPrefix(body, "deliveryId,") || !strings.Contains(body, id) {
		t.Errorf("got\n%s", body)
	}
}
