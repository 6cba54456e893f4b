package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/queue"
)

const lettersShown = 200

// Title returns a group's cause as one line.
func (g group) Title() string {
	if g.Done {
		return english.Plural(g.Count, "finished letter", "")
	}
	text := english.Plural(g.Count, "feedback", "") + ": " + word(string(g.Reason))
	if g.Project != "" {
		text += " at " + g.Project + "/" + g.Source
	}
	return text + statusText(g.Status)
}

// Settles reports whether each of them waits for a person to say whether there is a ticket.
func (g group) Settles() bool { return g.Reason == queue.ReasonAmbiguous }

func (g group) command(at home.Place, words string) string {
	if g.Done {
		return at.Command("dlq drop --done")
	}
	return at.Command("dlq " + words + " --group " + g.Key)
}

// groupData is the page of a group.
type groupData struct {
	group
	Shown []deadletter.Case
	// Differ reports whether their problems are not all the same text.
	Differ bool
	Steps  []step
	// TryCommand and the others correspond to the buttons.
	TryCommand, ReplayCommand, DropCommand string
	Jobs                                   []*jobView
	MostReplays                            int
}

// step is something to do, with its command.
type step struct{ Text, Command string }

func (s *Console) steps(a deadletter.Advice, id string) (all []step) {
	for _, of := range a.Steps {
		all = append(all, step{of.Text, of.CommandFor(s.Home.Place, id)})
	}
	return all
}

func (s *Console) showLetters(w http.ResponseWriter, r *http.Request) error {
	snap, err := s.now(r.Context())
	if err != nil {
		return err
	}
	if snap.GroupsErr != nil {
		return snap.GroupsErr
	}
	return s.render(w, r, http.StatusOK, "letters.html", "Dead letters", struct {
		*snapshot
		Jobs        []*jobView
		List, Adopt string
	}{snap, s.jobs.recent(10), s.Home.Command("dlq list"), s.Home.Command("dlq adopt")})
}

func (s *Console) showGroup(w http.ResponseWriter, r *http.Request) error {
	snap, err := s.now(r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(snap.Groups, func(g group) bool { return g.Key == r.PathValue("group") })
	if i < 0 {
		return noGroup
	}
	g := snap.Groups[i]
	d := groupData{
		group: g, Shown: g.Cases[:min(len(g.Cases), lettersShown)], Steps: s.steps(g.Advice, g.IDs[0]), Jobs: s.jobs.recent(3), MostReplays: deadletter.MostReplays,
		TryCommand: g.command(s.Home.Place, "replay --first 1 --wait"), ReplayCommand: g.command(s.Home.Place, "replay --rate 20/s --wait"),
		DropCommand: g.command(s.Home.Place, `drop --because "..."`),
	}
	d.Differ = slices.ContainsFunc(d.Shown, func(c deadletter.Case) bool { return c.Description != g.Problem })
	return s.render(w, r, http.StatusOK, "group.html", g.Title(), d)
}

var noGroup = &failure{Status: http.StatusNotFound, Text: "There are no dead letters with this cause any more.", Back: "/letters"}

// groupNow returns the current group, whatever a page showed.
func (s *Console) groupNow(ctx context.Context, key string) (group, error) {
	all, _, err := s.groups(ctx)
	if err != nil {
		return group{}, err
	}
	i := slices.IndexFunc(all, func(g group) bool { return g.Key == key })
	if i < 0 {
		return group{}, noGroup
	}
	return all[i], nil
}

// noReason refuses to give something up without a word.
func noReason(back string) error {
	return &failure{Status: http.StatusUnprocessableEntity, Text: "Give a reason: a dropped feedback must be explained.", Back: back}
}

// replayGroup begins the replay of one of a group's letters, or of all.
func (s *Console) replayGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := s.groupNow(r.Context(), r.PathValue("group"))
	if err != nil {
		return err
	}
	o := deadletter.ReplayOptions{Filter: deadletter.Filter{IDs: g.IDs}, Force: r.PostFormValue("force") != ""}
	v := jobView{Title: "Replay " + g.Title(), Command: g.command(s.Home.Place, "replay --wait"), Back: "/letters/" + g.Key}
	if r.PostFormValue("first") != "" {
		if o, _, err = s.manager.First(r.Context(), 1, o); err != nil {
			return &failure{Status: http.StatusConflict, Text: capital(err.Error()) + ".", Back: v.Back}
		}
		v.Title = "Try one of " + g.Title()
		v.Command = g.command(s.Home.Place, "replay --first 1 --wait")
	} else if text := r.PostFormValue("rate"); text != "" {
		o.PerSecond, err = strconv.ParseFloat(text, 64)
		if err != nil || o.PerSecond <= 0 || o.PerSecond > 10_000 {
			return &failure{Status: http.StatusUnprocessableEntity, Text: "The rate must be a number from 1 to 10,000.", Back: v.Back}
		}
	}
	return s.jobs.start(w, r, v, replay(o))
}

func (s *Console) dropGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := s.groupNow(r.Context(), r.PathValue("group"))
	if err != nil {
		return err
	}
	because := queue.Describe(r.PostFormValue("because"))
	back := "/letters/" + g.Key
	switch {
	case because == "" && !g.Done:
		return noReason(back)
	case r.PostFormValue("sure") != strconv.Itoa(g.Count):
		return &failure{Status: http.StatusConflict, Text: fmt.Sprintf("There are %d letters with this cause now. Look at them, and enter that number to drop them all.", g.Count), Back: back}
	}
	v := jobView{Title: "Drop " + g.Title(), Command: g.command(s.Home.Place, "drop --because "+shellword.Quote(because)), Back: "/letters"}
	return s.jobs.start(w, r, v, drop(g, because))
}
