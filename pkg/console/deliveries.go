package console

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

const (
	deliveriesShown = 100
	deliveriesInCSV = 100_000
	// rowsAppear is how often the rows found so far on a stack are sent.
	rowsAppear = 250 * time.Millisecond
)

// search is the query of the deliveries page. It is part of the address, so that a view can
// be sent to somebody.
type search struct {
	ledger.Query
	Since, Until string // as they were given
}

// wanted are the texts of a search: their names in an address, and those of the
// command's flags.
var wanted = []struct {
	name, flag string
	of         func(*ledger.Query) *string
}{
	{"q", "", func(q *ledger.Query) *string { return &q.Text }},
	{"app", "--app", func(q *ledger.Query) *string { return &q.App }},
	{"kind", "--kind", func(q *ledger.Query) *string { return &q.Kind }},
	{"email", "--email", func(q *ledger.Query) *string { return &q.Email }},
	{"ticket", "--ticket", func(q *ledger.Query) *string { return &q.Ticket }},
	{"session", "--session", func(q *ledger.Query) *string { return &q.Session }},
	{"reason", "--reason", func(q *ledger.Query) *string { return &q.Reason }},
}

func readSearch(q url.Values, now time.Time) (search, error) {
	get := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	f := search{Since: get("since"), Until: get("until")}
	for _, text := range wanted {
		*text.of(&f.Query) = get(text.name)
	}
	for _, state := range q["state"] {
		if slices.Contains(ledger.Standings(), state) {
			f.States = append(f.States, state)
		}
	}
	words, err := deadletter.Words{Since: f.Since, Until: f.Until}.Filter(now)
	f.Query.Since, f.Query.Until = words.Since, words.Until
	return f, err
}

// deliveriesData is the page without its rows, which are sent as they are found.
type deliveriesData struct {
	search
	Problem    string
	AllStates  []string
	AllReasons []queue.Reason
	CSV        string
	Command    string
	OnAWS      bool
	Filtered   bool
	// Rows and End are the positions of the rows, and of the text after them.
	Rows, End template.HTML
}

// Chosen reports whether the search is for a state.
func (d deliveriesData) Chosen(state string) bool { return slices.Contains(d.States, state) }

// The placeholders in the page that is rendered before there are rows.
const (
	rowsHere = "<!--rows-->"
	endHere  = "<!--end-->"
)

func (s *Console) showDeliveries(w http.ResponseWriter, r *http.Request) error {
	f, problem := readSearch(r.URL.Query(), s.Now())
	d := deliveriesData{
		search: f, AllStates: ledger.Standings(), AllReasons: queue.Reasons(), OnAWS: s.Home.OnAWS(), Rows: rowsHere, End: endHere,
		CSV: "/deliveries.csv?" + r.URL.RawQuery, Command: s.Home.Command(findCommand(f)), Filtered: r.URL.RawQuery != "",
	}
	if problem != nil {
		d.Problem = capital(problem.Error()) + "."
	}
	var b bytes.Buffer
	if err := pages["deliveries.html"].ExecuteTemplate(&b, "frame.html", s.view(r, "Deliveries", d)); err != nil {
		return fmt.Errorf("write the page of deliveries: %w", err)
	}
	head, rest, _ := strings.Cut(b.String(), rowsHere)
	middle, tail, _ := strings.Cut(rest, endHere)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	end := "" // the text below
	if problem == nil {
		end = s.writeFound(w, r, f.Query, head)
	} else {
		_, _ = w.Write([]byte(head))
	}
	_, _ = w.Write([]byte(middle + template.HTMLEscapeString(end) + tail)) // the browser may have gone
	return nil
}

// writeFound writes the page's beginning and the rows, and returns the text after them. In
// a folder all rows are found at once; on a stack they are sent as they are found.
func (s *Console) writeFound(w http.ResponseWriter, r *http.Request, q ledger.Query, head string) string {
	out := http.NewResponseController(w)
	rows := bytes.NewBufferString(head)
	var sent time.Time
	send := func() error {
		_, err := w.Write(rows.Bytes())
		rows.Reset()
		sent = time.Now()
		return err
	}
	found := 0
	flush := func() error {
		if !s.Home.OnAWS() || time.Since(sent) < rowsAppear {
			return nil
		}
		if err := send(); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := flush(); err != nil {
		return ""
	}
	more, err := s.finder.Find(r.Context(), q, deliveriesShown, func(d deliveries.Delivery) error {
		found++
		if err := pages["deliveries.html"].ExecuteTemplate(rows, "delivery-row", rowView{d, s.Now()}); err != nil {
			return err
		}
		return flush()
	})
	_ = send() // the browser may have gone
	switch {
	case r.Context().Err() != nil:
		return ""
	case err != nil:
		return "What comes after these could not be read: " + err.Error()
	case found == 0:
		return "Nothing was found. What is done is remembered for 35 days."
	case more && s.Home.OnAWS():
		return fmt.Sprintf("There are more; these %d were found first. Narrow it down, or take the CSV.", found)
	case more:
		return fmt.Sprintf("There are more; these %d are the last. Narrow it down, or take the CSV.", found)
	}
	return ""
}

// rowView is a row of a table of deliveries.
type rowView struct {
	deliveries.Delivery
	Now time.Time
}

// Tone is the colour of the state.
func (v rowView) Tone() string {
	switch ledger.State(v.State) {
	case ledger.Completed:
		return "ok"
	case ledger.Dead:
		return "bad"
	case ledger.Claimed, ledger.Creating, ledger.Created:
		return "warn"
	}
	return ""
}

// Standing is the state in a word or two.
func (v rowView) Standing() string {
	switch ledger.State(v.State) {
	case ledger.Completed:
		return "ticket"
	case ledger.Dead:
		if v.Status != 0 {
			return fmt.Sprintf("dead: %s, %d", word(v.Reason), v.Status)
		}
		return "dead: " + word(v.Reason)
	case ledger.Claimed:
		return "waiting"
	case ledger.Creating:
		return "ticket in doubt"
	case ledger.Created:
		return "files missing"
	}
	return v.State
}

func (s *Console) csvDeliveries(w http.ResponseWriter, r *http.Request) error {
	f, err := readSearch(r.URL.Query(), s.Now())
	if err != nil {
		return &failure{Status: http.StatusUnprocessableEntity, Text: capital(err.Error()) + ".", Back: "/deliveries"}
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="deliveries.csv"`)
	more, err := s.finder.Find(r.Context(), f.Query, deliveriesInCSV, deliveries.CSV(w))
	if err != nil || more {
		// A file that ends too soon must not look complete, so the download fails.
		s.Log.Warn("the console: a CSV was cut off", "err", err, "more", more)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// findCommand returns the command for the same search.
func findCommand(f search) string {
	words := "find"
	add := func(flag, value string) {
		if value != "" {
			words += strings.TrimRight(" "+flag, " ") + " " + shellword.Quote(value)
		}
	}
	for _, text := range wanted {
		add(text.flag, *text.of(&f.Query))
	}
	add("--since", f.Since)
	add("--until", f.Until)
	for _, state := range f.States {
		add("--state", state)
	}
	return words
}
