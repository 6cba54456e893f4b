package console

import (
	"net/http"
	"slices"
	"strings"

	"fairbridge/events"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// tryData is the page that shows what a payload becomes.
type tryData struct {
	Payload   string
	Samples   []string
	Preview   *preview.Preview
	Problem   string
	By        string // which mapping
	Simulator string
	Command   string
}

// Says describes what the payload becomes, in one line; Tone is its colour.
func (d *tryData) Says() string {
	switch p := d.Preview; p.Outcome {
	case preview.Ticket:
		return "It becomes a ticket."
	case preview.Ignored:
		return "It is ignored: " + word(p.Reason) + "."
	case preview.Refused:
		return "It is refused" + statusText(p.Status) + "."
	}
	return "It becomes a dead letter: " + word(d.Preview.Reason) + "."
}

// Tone returns the colour of the outcome.
func (d *tryData) Tone() string {
	switch d.Preview.Outcome {
	case preview.Ticket:
		return "ok"
	case preview.Ignored:
		return "w"
	}
	return ""
}

func samples() (names []string) {
	entries, err := events.Samples.ReadDir(".")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

func (s *Console) tryPage() *tryData {
	return &tryData{Samples: samples(), Simulator: s.Simulator, Command: "fairbridge check --payload FILE"}
}

// showTry starts with nothing, a sample, or the payload of a delivery.
func (s *Console) showTry(w http.ResponseWriter, r *http.Request) error {
	d := s.tryPage()
	if sample := r.URL.Query().Get("sample"); slices.Contains(d.Samples, sample) {
		text, err := events.Samples.ReadFile(sample + ".json")
		if err != nil {
			return err
		}
		d.Payload = string(text)
	}
	if id := r.URL.Query().Get("delivery"); id != "" {
		of, err := s.delivery(r.Context(), id)
		if err != nil {
			return err
		}
		if of.Payload == nil {
			return &failure{Status: http.StatusNotFound, Text: "Its payload is not kept: what has become a ticket is in Centercode, and what waits on a stack cannot be looked at.", Back: "/deliveries/" + of.ID}
		}
		d.Payload = terminal.IndentedJSON(of.Payload)
	}
	return s.render(w, r, http.StatusOK, "try.html", "Try a payload", d)
}

func (s *Console) tryPayload(w http.ResponseWriter, r *http.Request) error {
	d := s.tryPage()
	d.Payload = newlines(r.PostFormValue("payload"))
	check, err := s.checker(r.Context())
	if err != nil {
		d.Problem = err.Error()
		return s.render(w, r, http.StatusUnprocessableEntity, "try.html", "Try a payload", d)
	}
	p := check.Payload(preview.NewPayload("payload", []byte(d.Payload)))
	d.Preview, d.By = &p, check.By
	return s.render(w, r, http.StatusOK, "try.html", "Try a payload", d)
}
