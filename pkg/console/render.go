package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/internal/printable"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

//go:embed templates/*.html assets/*
var files embed.FS

// assetsHash is part of the addresses of assets, so that browsers may cache them.
var assetsHash = func() string {
	h := sha256.New()
	for _, name := range []string{"style.css", "script.js", "icon.svg"} {
		b, err := files.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}()

// pages are the templates, one set for each page with the common frame.
var pages = func() map[string]*template.Template {
	frame := template.Must(template.New("frame.html").Funcs(functions).ParseFS(files, "templates/frame.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	for _, path := range names {
		name := strings.TrimPrefix(path, "templates/")
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(files, path))
	}
	return all
}()

var functions = template.FuncMap{
	"line":  printable.Line,
	"lines": printableLines,
	"prose": prose,
	"words": func(s string) []string { return strings.Split(printable.Line(s), " ") },
	"short": queue.ShortID,
	"count": func(n int, what string) string {
		return humanize.Comma(int64(n)) + " " + english.PluralWord(n, what, "")
	},
	"number":  func(n int) string { return humanize.Comma(int64(n)) },
	"cut":     func(most int, s string) string { return terminal.Shorten(printable.Line(s), most) },
	"json":    terminal.IndentedJSON,
	"utc":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"since":   func(now, t time.Time) string { return lasting(now.Sub(t)) },
	"asset":   func(name string) string { return "/assets/" + assetsHash + "/" + name },
	"word":    word,
	"shortly": shortly,
	"raw":     func(data json.RawMessage) string { return terminal.Shorten(string(terminal.JSON(data)), 2000) },
	"nav":     navigate,
	"row":     func(d deliveries.Delivery, now time.Time) rowView { return rowView{d, now} },
	"card":    func(g group, readOnly bool) groupCard { return groupCard{g, readOnly} },
}

type groupCard struct {
	group
	ReadOnly bool
}

// word makes a reason's name readable.
func word(s string) string { return strings.ReplaceAll(s, "_", " ") }

type navItem struct {
	Href, Name string
	Current    bool
	Count      int
}

func navigate(v view, href, name string) navItem {
	item := navItem{Href: href, Name: name, Current: v.Path == href || href != "/" && strings.HasPrefix(v.Path, href+"/")}
	if href == "/letters" {
		item.Count = v.Dead
		item.Current = item.Current || strings.HasPrefix(v.Path, "/jobs/")
	}
	return item
}

// prose marks up advice, in which code stands between backticks.
func prose(s string) template.HTML {
	parts := strings.Split(template.HTMLEscapeString(s), "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "<code>" + parts[i] + "</code>"
	}
	return template.HTML(strings.Join(parts, ""))
}

// printableLines makes other people's text safe to show, with its lines.
func printableLines(s string) string {
	all := strings.Split(s, "\n")
	for i, line := range all {
		all[i] = printable.Line(line)
	}
	return strings.Join(all, "\n")
}

// lasting formats a duration in its two largest units.
func lasting(d time.Duration) string {
	d = max(d, 0)
	days := int(d / (24 * time.Hour))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case days == 0:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	case days < 3:
		return strings.TrimSuffix(fmt.Sprintf("%s %d h", english.Plural(days, "day", ""), int(d.Hours())%24), " 0 h")
	}
	return english.Plural(days, "day", "")
}

// view is the data of a page's template.
type view struct {
	Title string
	// Path is the page's path, to mark the current item of the navigation.
	Path     string
	Query    string // what is searched for
	Place    string
	ReadOnly bool
	Dead     int // letters, as far as that is known
	Version  string
	Now      time.Time
	Notice   string
	Data     any
}

func (s *Console) view(r *http.Request, title string, data any) view {
	v := view{
		Title: title, Path: r.URL.Path, Notice: notices[r.URL.Query().Get("done")], Place: s.Home.Folder,
		ReadOnly: s.ReadOnly, Version: s.Version, Now: s.Now(), Data: data, Dead: s.dead(),
	}
	if s.Home.OnAWS() {
		v.Place = s.Home.Stack
	}
	if strings.HasPrefix(r.URL.Path, "/deliveries") {
		v.Query = r.URL.Query().Get("q")
	}
	return v
}

// notices say what was done, on the page after an action. Only these are shown, since an
// address could contain any text.
var notices = map[string]string{
	"paused":   "Paused. Webhooks are still taken, and wait.",
	"resumed":  "Resumed. Held deliveries continue within a minute; on a stack, within a quarter of an hour.",
	"replayed": "Replayed. It is on its way; this page follows it.",
	"settled":  "Settled, and on its way; this page follows it.",
	"dropped":  "Dropped. Its reason is on the timeline.",
}

// render answers with a page in the frame. The page is complete before anything is sent.
func (s *Console) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) error {
	return s.write(w, status, name, "frame.html", s.view(r, title, data))
}

// renderBare answers with a page for a browser that is not signed in.
func (s *Console) renderBare(w http.ResponseWriter, status int, name string, data any) {
	if err := s.write(w, status, name, name, view{Title: "Sign in", Data: data}); err != nil {
		s.Log.Warn("the console could not write a page", "err", err)
	}
}

func (s *Console) write(w http.ResponseWriter, status int, name, entry string, v view) error {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, entry, v); err != nil {
		return fmt.Errorf("write the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may have gone
	return nil
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("hash") == assetsHash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, files, "assets/"+r.PathValue("name"))
}
