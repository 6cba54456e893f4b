package simulator

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"fairbridge/pkg/internal/clip"
)

// maxPageTickets is the maximum number of tickets on the page.
const maxPageTickets = 100

//go:embed page.html style.css
var assets embed.FS

var page = template.Must(template.ParseFS(assets, "page.html"))

type pageData struct {
	Total   int
	Shown   int
	Files   int
	Faults  int
	Now     string
	Tickets []pageTicket
}

type pageTicket struct {
	Ticket
	Title  string
	Age    string
	Fields []pageField
	Files  []pageFile
}

type pageField struct {
	Name, Value string
	Long        bool // more than one line
}

type pageFile struct {
	File
	URL       string // "" if its content was not kept
	Bytes     string
	ShortHash string
}

// servePage shows the tickets, newest first.
func (s *Simulator) servePage(w http.ResponseWriter, _ *http.Request) {
	tickets := s.Tickets()
	now := s.config.Now()
	data := pageData{Total: len(tickets), Faults: len(s.Faults()), Now: now.Format(time.TimeOnly)}
	for _, t := range tickets {
		data.Files += len(t.Files)
	}
	slices.Reverse(tickets)
	for _, t := range tickets[:min(len(tickets), maxPageTickets)] {
		data.Tickets = append(data.Tickets, s.pageTicket(t, now))
	}
	data.Shown = len(data.Tickets)
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	protect(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(body.Bytes()) // the browser may be gone
}

func (s *Simulator) pageTicket(t Ticket, now time.Time) pageTicket {
	p := pageTicket{Ticket: t, Title: "(no text)", Age: age(now.Sub(t.CreatedAt))}
	for _, name := range []string{"summary", "title", "subject", "description", "text"} {
		if title := strings.TrimSpace(text(t.Fields[name])); title != "" {
			title, _, _ = strings.Cut(title, "\n")
			p.Title = clip.Text(title, 140, "…")
			break
		}
	}
	for name, v := range t.Fields {
		value := clip.Text(text(v), 4000, "…")
		p.Fields = append(p.Fields, pageField{Name: name, Value: value, Long: strings.Contains(value, "\n") || len(value) > 160})
	}
	slices.SortFunc(p.Fields, func(a, b pageField) int { return strings.Compare(a.Name, b.Name) })
	for i, f := range t.Files {
		shown := pageFile{File: f, Bytes: humanize.IBytes(uint64(f.Size)), ShortHash: f.SHA256[:min(12, len(f.SHA256))]}
		if s.hasContent(t.ID, i) {
			shown.URL = "/simulator/files/" + t.ID + "/" + strconv.Itoa(i)
		}
		p.Files = append(p.Files, shown)
	}
	return p
}

// serveStored serves a file so that it cannot run in a browser: as a picture if its content
// is one, otherwise as a download.
func (s *Simulator) serveStored(w http.ResponseWriter, r *http.Request) {
	index, err := strconv.Atoi(r.PathValue("file"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	f, content, err := s.open(r.PathValue("ticket"), index)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer content.Close()
	h := w.Header()
	protect(h)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if f.Picture != "" {
		h.Set("Content-Type", f.Picture)
	} else {
		h.Set("Content-Type", "application/octet-stream")
		disposition := mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})
		if disposition == "" {
			disposition = "attachment"
		}
		h.Set("Content-Disposition", disposition)
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	http.ServeFileFS(w, r, assets, "style.css")
}

func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func age(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
