// Package report writes dead letters as text for people, and in formats for programs.
package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// Page is where text for a person is written.
type Page struct {
	Out    io.Writer
	Screen terminal.Screen
	// Place is the bridge's, for suggested commands.
	Place home.Place
	// Now is the current time, in the time zone for output.
	Now time.Time
	// Limit is the maximum number of lines or groups of a list, 0 for all.
	Limit int
}

// few is how many letters are listed one by one by default.
const few = 20

// List writes letters as [Page.Letters] does, or as [Page.Groups] if there are many.
func (p Page) List(in *deadletter.Selection) error {
	if len(in.Cases) > few {
		return p.Groups(in)
	}
	return p.Letters(in)
}

// Groups writes letters grouped by cause, and then their number.
func (p Page) Groups(in *deadletter.Selection) error {
	var b bytes.Buffer
	groups := deadletter.Groups(in.Cases)
	shown := groups[:p.limit(len(groups))]
	for _, g := range shown {
		p.group(&b, g)
	}
	if more := groups[len(shown):]; len(more) > 0 {
		letters := 0
		for _, g := range more {
			letters += g.Count
		}
		fmt.Fprintf(&b, "%s with %s more, without --limit\n\n", terminal.Count(len(more), "cause"), terminal.Count(letters, "dead letter"))
	}
	p.summary(&b, in)
	if len(groups) > 0 && !groups[0].Done {
		newest := queue.ShortID(groups[0].IDs[len(groups[0].IDs)-1])
		fmt.Fprintf(&b, "What to do about one: %s\nAll of them:          %s\n", p.Place.Command("dlq show "+newest), p.Place.Command("dlq list --each"))
	}
	_, err := p.Out.Write(b.Bytes())
	return err
}

// indent starts a line that belongs to the one above.
const indent = "    "

func (p Page) group(b *bytes.Buffer, g deadletter.Group) {
	count := fmt.Sprintf("%d x ", g.Count)
	line := func(text string) {
		if text != "" {
			fmt.Fprintf(b, "%s%s\n", indent, p.Screen.Cut(text, len(indent)))
		}
	}
	if g.Done {
		fmt.Fprintf(b, "%s\n", p.Screen.Good(p.heading(count, "done already", "")))
		line("their deliveries are completed or dropped")
		fmt.Fprintf(b, "%s%s\n\n", indent, p.Place.Command("dlq drop --done"))
		return
	}
	what := terminal.Printable(string(g.Reason))
	if g.Status != 0 {
		what += " " + strconv.Itoa(g.Status)
	}
	if g.Stage != "" && g.Stage != queue.StageCreate {
		what += " (" + terminal.Printable(string(g.Stage)) + ")"
	}
	if g.Project != "" {
		what += " at " + terminal.Printable(g.Project+"/"+g.Source)
	}
	fmt.Fprintf(b, "%s\n", p.Screen.Bold(p.heading(count, what, ", since "+p.moment(g.Since))))
	line(terminal.Printable(g.Problem))
	newest := queue.ShortID(g.IDs[len(g.IDs)-1])
	if g.Count > 1 {
		newest = "newest " + newest + ", " + terminal.Age(p.Now.Sub(g.Newest)) + " ago, --group " + g.Key
	}
	fmt.Fprintf(b, "%s%s\n\n", indent, newest)
}

// heading shortens the text between a count and a time.
func (p Page) heading(count, what, since string) string {
	return count + p.Screen.Cut(what, len(count)+len(since)) + since
}

// moment formats a time, without the day if that is today.
func (p Page) moment(t time.Time) string {
	t = t.In(p.Now.Location())
	if t.Format(time.DateOnly) == p.Now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func (p Page) limit(n int) int {
	if p.Limit > 0 {
		return min(n, p.Limit)
	}
	return n
}

// columns are those of a letter.
var columns = []terminal.Column{
	{Name: "AGE"}, {Name: "REASON", Most: 20, Least: 9}, {Name: "STAGE", Most: 20, Least: 6, Spare: 6}, {Name: "STATUS", Spare: 5},
	{Name: "APP", Most: 20, Least: 8, Spare: 4}, {Name: "SUBMITTER", Most: 30, Least: 16, Spare: 2}, {Name: "TEXT", Most: 30, Least: 16, Spare: 1},
	{Name: "ATTEMPTS", Spare: 7}, {Name: "DELIVERY"}, {Name: "PROBLEM", Most: 120, Least: 36, Spare: 3},
}

// Letters writes one line for each letter, and then their number.
func (p Page) Letters(in *deadletter.Selection) error {
	var b bytes.Buffer
	if len(in.Cases) > 0 {
		var rows [][]string
		for _, c := range in.Cases[:p.limit(len(in.Cases))] {
			rows = append(rows, p.row(c))
		}
		if err := p.Screen.WriteTable(&b, columns, rows); err != nil {
			return err
		}
		if more := len(in.Cases) - len(rows); more > 0 {
			fmt.Fprintf(&b, "%d more, without --limit\n", more)
		}
		b.WriteByte('\n')
	}
	p.summary(&b, in)
	_, err := p.Out.Write(b.Bytes())
	return err
}

func (p Page) row(c deadletter.Case) []string {
	reason, status, problem := string(c.Reason), "", c.Description
	if c.Status != 0 {
		status = strconv.Itoa(c.Status)
	}
	if c.Done() {
		reason = "done already"
	}
	if c.Count() > 1 {
		problem = strings.TrimSpace(fmt.Sprintf("%s (copies: %d)", problem, c.Count()))
	}
	row := []string{
		terminal.Age(p.Now.Sub(c.DiedAt())), reason, string(c.Stage), status, c.Webhook.Text("appName"), c.Submitter(), c.Saying(),
		strconv.Itoa(c.Attempts), queue.ShortID(c.DeliveryID), problem,
	}
	for i := range row {
		row[i] = terminal.Printable(row[i])
	}
	return row
}

// summary counts deliveries, as 'fairbridge status' does, and letters if a delivery has
// several.
func (p Page) summary(b *bytes.Buffer, in *deadletter.Selection) {
	n := len(in.Cases)
	switch {
	case n == 0 && in.Deliveries == 0:
		b.WriteString("no dead letters\n")
		return
	case n == 0:
		fmt.Fprintf(b, "none of %s matches\n", terminal.Count(in.Deliveries, "dead letter"))
		return
	}
	of, letters := "", 0
	if in.Deliveries > n {
		of = fmt.Sprintf(" of %d", in.Deliveries)
	}
	for _, c := range in.Cases {
		letters += c.Count()
		if c.Kept {
			letters--
		}
	}
	fmt.Fprintf(b, "%s%s: %s\n", terminal.Count(n, "dead letter"), of, byReason(in.Cases))
	if letters > n {
		fmt.Fprintf(b, "With copies the queue has %d.\n", letters)
	}
}

// byReason counts by reason, the most frequent first and finished ones last.
func byReason(cases []deadletter.Case) string {
	counts := map[queue.Reason]int{}
	done := 0
	for _, c := range cases {
		if c.Done() {
			done++
			continue
		}
		counts[c.Reason]++
	}
	var parts []string
	for _, r := range slices.SortedFunc(maps.Keys(counts), func(a, b queue.Reason) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[r], terminal.Printable(string(r))))
	}
	if done > 0 {
		parts = append(parts, fmt.Sprintf("%d done already", done))
	}
	return strings.Join(parts, ", ")
}
