package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
)

// nowData is the first page.
type nowData struct {
	*snapshot
	Heading, Detail string
	Strip           []cell
	// Problems are those of the status, except those that the groups of dead letters show.
	Problems []string
	// Projects are those whose breaker is open, or that are paused.
	Projects                    []breaker.State
	Latest                      []deliveries.Delivery
	Jobs                        []*jobView
	Simulator                   string
	PauseCommand, ResumeCommand string
	// Figures are nil before they are counted.
	Figures *figures
	Span    span
	Spans   []span
	OnAWS   bool
}

// cell is a part of the strip.
type cell struct {
	Name, Value string
	// Tone is ok, warn or bad for a tag, "" for plain text.
	Tone  string
	Notes []string
	Link  string
}

const latest = 8

func (s *Console) showNow(w http.ResponseWriter, r *http.Request) error {
	snap, err := s.now(r.Context())
	if err != nil {
		return err
	}
	d := nowData{snapshot: snap, Simulator: s.Simulator, OnAWS: s.Home.OnAWS(), Jobs: s.jobs.recent(3),
		PauseCommand: s.Home.Command(`pause --because "..." --for 2h`), ResumeCommand: s.Home.Command("resume")}
	now := s.Now()
	for _, p := range snap.Status.Health {
		if p.Open() || p.Paused(now) {
			d.Projects = append(d.Projects, p)
		}
	}
	d.Heading, d.Detail = heading(snap, now)
	d.Strip = strip(snap, now)
	d.Problems = snap.Status.OtherProblems()
	d.Span, d.Spans = spanNamed(r.URL.Query().Get("span")), spans
	d.Figures = s.figures(r.Context(), d.Span)
	if !s.Home.OnAWS() { // on a stack the whole table would be read
		if _, err := s.finder.Find(r.Context(), ledger.Query{}, latest, func(found deliveries.Delivery) error {
			d.Latest = append(d.Latest, found)
			return nil
		}); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "now.html", d.Heading, d)
}

// heading returns a sentence on whether all is well, and details.
func heading(n *snapshot, now time.Time) (sentence, detail string) {
	waiting := 0
	if n.Status.Work != nil {
		waiting = n.Status.Work.Total()
	}
	wait := humanize.Comma(int64(waiting)) + " " + english.PluralWord(waiting, "feedback waits", "feedbacks wait")
	for _, p := range n.Status.Health {
		switch {
		case p.Paused(now):
			who := cmp.Or(p.Pause.Who, "Somebody")
			return fmt.Sprintf("%s is paused. %s; nothing is lost.", ofProject(p.Project), wait), fmt.Sprintf("%s paused it %s ago: %s", who, lasting(now.Sub(p.Pause.At)), p.Pause.Why)
		case p.Open():
			what := "is not responding"
			then := "They become tickets on their own once it is back."
			if p.Fault.KeyRefused() {
				what, then = "rejects the API key", "They become tickets on their own once it accepts the key."
			}
			return fmt.Sprintf("Centercode %s. %s; nothing is lost.", what, wait),
				fmt.Sprintf("%s for %s. The next probe is in %s. %s", capital(p.Fault.String()), lasting(now.Sub(p.Since)), lasting(p.TryIn(now)), then)
		}
	}
	people := 0
	for _, g := range n.Groups {
		if !g.Done {
			people += g.Count
		}
	}
	switch causes := len(n.Groups); {
	case n.Status.Runs != nil && !*n.Status.Runs:
		return fmt.Sprintf("No bridge runs in this folder. %s.", capital(wait)), "Webhooks are refused until it is started."
	case people > 0:
		return fmt.Sprintf("%s %s a person, for %s.", english.Plural(people, "feedback", ""), english.PluralWord(people, "needs", "need"), english.Plural(causes, "cause", "")), "Everything else is delivered without you."
	case len(n.Status.Problems) > 0:
		return english.Plural(len(n.Status.Problems), "thing needs a person.", "things need a person."), ""
	}
	return "All is well.", "Nothing needs a person."
}

func ofProject(project string) string {
	if project == breaker.All {
		return "Delivery"
	}
	return "Delivery to " + project
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// strip returns the state of each part in short.
func strip(n *snapshot, now time.Time) []cell {
	st := n.Status
	return []cell{bridgeCell(st), centercodeCell(st, now), keyCell(st, now), waitingCell(st.Work, now), deadCell(st, n), refusedCell(st, now), mappingCell(st.Mapping, now)}
}

func bridgeCell(st *home.Status) cell {
	switch {
	case st.Stack != "":
		return cell{Name: "Bridge", Value: "on AWS", Notes: []string{st.Stack}}
	case st.Runs != nil && *st.Runs:
		return cell{Name: "Bridge", Value: "running", Tone: "ok"}
	}
	return cell{Name: "Bridge", Value: "not running", Tone: "bad"}
}

func centercodeCell(st *home.Status, now time.Time) cell {
	c := cell{Name: "Centercode", Value: "well", Tone: "ok"}
	for _, p := range st.Health {
		switch {
		case p.Open():
			c.Value, c.Tone = "not responding", "bad"
			if p.Fault.KeyRefused() {
				c.Value = "rejects the key"
			}
			c.Notes = append(c.Notes, p.Project+", next probe in "+lasting(p.TryIn(now)))
		case p.Paused(now):
			if c.Tone == "ok" {
				c.Value, c.Tone = "paused", "warn"
			}
			c.Notes = append(c.Notes, cmp.Or(p.Project, "all projects"))
		}
	}
	switch {
	case c.Tone != "ok":
	case st.Centercode.Note != "":
		c.Value, c.Tone, c.Notes = "simulator", "", nil
		if st.Centercode.BaseURL != "" || st.Stack != "" {
			c.Value = "not asked"
		}
	case !st.Centercode.Answers:
		c.Value, c.Tone = "no answer from here", "warn"
	default:
		c.Notes = []string{fmt.Sprintf("HTTP %d, %d ms", st.Centercode.Status, st.Centercode.Took)}
	}
	return c
}

func keyCell(st *home.Status, now time.Time) cell {
	c := cell{Name: "API key", Value: "stored", Tone: "ok"}
	for _, p := range st.Health {
		if p.Open() && p.Fault.KeyRefused() {
			return cell{Name: c.Name, Value: "refused", Tone: "bad", Notes: []string{"for " + lasting(now.Sub(p.Since))}}
		}
	}
	for _, secret := range st.Secrets {
		if secret.Name != secrets.CentercodeAPIKey {
			continue
		}
		switch {
		case secret.Variable != "":
			c.Notes = []string{"from the environment"}
		case secret.Credential != "":
			c.Notes = []string{"from systemd's credentials"}
		case secret.Exists:
			c.Notes = []string{"for " + lasting(now.Sub(secret.Since))}
		case st.Centercode.BaseURL == "" && st.Stack == "":
			return cell{Name: c.Name, Value: "not needed"}
		default:
			return cell{Name: c.Name, Value: "missing", Tone: "bad"}
		}
	}
	return c
}

func waitingCell(q *home.QueueDepth, now time.Time) cell {
	c := cell{Name: "Waiting", Value: "unknown", Tone: "warn", Link: "/deliveries?state=claimed&state=creating&state=created"}
	if q == nil {
		return c
	}
	c.Value, c.Tone = humanize.Comma(int64(q.Total())), ""
	if !q.Oldest.IsZero() {
		c.Notes = []string{"oldest " + lasting(now.Sub(q.Oldest))}
	}
	return c
}

func deadCell(st *home.Status, n *snapshot) cell {
	c := cell{Name: "Dead letters", Value: "unknown", Tone: "warn", Link: "/letters"}
	if st.DeadLetters == nil {
		return c
	}
	c.Value, c.Tone = humanize.Comma(int64(st.DeadLetters.Total())), ""
	if st.DeadLetters.Total() > 0 {
		c.Tone = "bad"
		c.Notes = []string{english.Plural(len(n.Groups), "cause", "")}
	}
	return c
}

func refusedCell(st *home.Status, now time.Time) cell {
	c := cell{Name: "Refused, 24 h", Value: "unknown", Tone: "warn", Link: "/refused"}
	if st.Refused == nil {
		return c
	}
	all, ours := 0, 0
	for _, r := range st.Refused.Last {
		if now.Sub(r.At) > 24*time.Hour {
			continue
		}
		all++
		if !r.Reason.Strange() {
			ours++
		}
	}
	c.Value, c.Tone = fmt.Sprint(ours), ""
	if ours > 0 {
		c.Tone = "warn"
	}
	if others := all - ours; others > 0 {
		c.Notes = []string{fmt.Sprintf("and %d from strangers", others)}
	}
	return c
}

func mappingCell(m *home.MappingStatus, now time.Time) cell {
	c := cell{Name: "Mapping", Value: "unknown"}
	if m == nil {
		return c
	}
	c.Value, c.Notes = m.Hash[:min(8, len(m.Hash))], []string{"for " + lasting(now.Sub(m.Since))}
	switch {
	case m.Problem != "":
		c.Tone, c.Notes = "warn", append(c.Notes, "the file is invalid, and does not run")
	case m.Differs:
		c.Notes = append(c.Notes, "the file differs")
	case m.File != "":
		c.Notes = append(c.Notes, "same as the file")
	}
	return c
}

func (s *Console) pause(w http.ResponseWriter, r *http.Request) error {
	p := home.PauseRequest{Project: r.PostFormValue("project"), Because: strings.TrimSpace(r.PostFormValue("because")), Who: s.Home.Operator(r.Context())}
	if p.Because == "" {
		return &failure{Status: http.StatusUnprocessableEntity, Text: "Enter a reason: others will ask.", Back: "/#pause"}
	}
	if text := r.PostFormValue("for"); text != "" {
		var err error
		if p.For, err = time.ParseDuration(text); err != nil || p.For <= 0 {
			return &failure{Status: http.StatusUnprocessableEntity, Text: "Enter a duration such as 90m or 2h.", Back: "/#pause"}
		}
	}
	_, err := s.Home.Pause(r.Context(), p, s.Now())
	if refused, ok := errors.AsType[*home.PauseError](err); ok {
		return &failure{Status: http.StatusUnprocessableEntity, Text: capital(refused.Reason) + ".", Back: "/#pause"}
	}
	return s.done(w, r, err, "paused", "/")
}

func (s *Console) resume(w http.ResponseWriter, r *http.Request) error {
	return s.done(w, r, s.Home.Resume(r.Context(), r.PostFormValue("project")), "resumed", "/")
}

// done redirects to the page that shows the change.
func (s *Console) done(w http.ResponseWriter, r *http.Request, err error, notice, to string) error {
	s.snapshots.expire(true)
	s.news.tell()
	if err != nil {
		return err
	}
	s.Log.Info("the console: "+notice, "who", s.Home.Operator(r.Context()), "path", r.URL.Path)
	http.Redirect(w, r, to+"?done="+notice, http.StatusSeeOther)
	return nil
}
