package simulator_test

import (
	"strings"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

func TestPage(t *testing.T) {
	s := start(t, centercodesim.Config{Dir: t.TempDir()})
	empty := do(t, "GET", s.URL+"/", "", nil)
	if empty.status != 200 || !strings.Contains(empty.body, "No tickets yet") || !strings.Contains(empty.body, "fairbridge send") {
		t.Errorf("the empty page is %s", empty.body)
	}
	create(t, s, `{"summary":"The first","note":""}`)
	create(t, s, `{"summary":"<script>alert(1)</script>\nmore","who":"Zoë 😀"}`)
	upload(t, s, "2", "screenshot", `shot".png`, "image/png", png)
	upload(t, s, "2", "log", "evil.html", "text/html", []byte("<script>alert(1)</script>"))
	got := do(t, "GET", s.URL+"/", "", nil)
	for _, want := range []string{
		"<title>2 tickets", "&lt;script&gt;alert(1)&lt;/script&gt;", "Zoë 😀", "The first", "<i>empty</i>", `http-equiv="refresh"`,
		`<img src="/simulator/files/2/0"`, `href="/simulator/files/2/1"`, "evil.html", "25 B",
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(got.body, "<script") || strings.Index(got.body, "#2") > strings.Index(got.body, "#1") {
		t.Errorf("the page is %s", got.body)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	if style := do(t, "GET", s.URL+"/simulator/style.css", "", nil); !strings.HasPrefix(style.header.Get("Content-Type"), "text/css") {
		t.Errorf("style is %v", style.header)
	}
}

// TestServedFilesCannotRun checks that an uploaded file never becomes a page or a script of
// the simulator's origin.
func TestServedFilesCannotRun(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := start(t, centercodesim.Config{Dir: dir})
		create(t, s, `{}`)
		files := []struct {
			name, contentType string
			content           []byte
			picture           bool
		}{
			{"a.png", "image/png", png, true},
			{"a.html", "image/png", []byte("<script>alert(1)</script>"), false},
			{"a.svg", "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), false},
			{"a\r\nb\"é.js", "text/javascript", []byte("alert(1)"), false},
			{"a.html", "text/html", png, true}, // the content decides
		}
		for _, f := range files {
			upload(t, s, "1", "log", f.name, f.contentType, f.content)
		}
		for i, f := range files {
			got := do(t, "GET", s.URL+"/simulator/files/1/"+string(rune('0'+i)), "", nil)
			if dir == "" && !f.picture {
				if got.status != 404 {
					t.Errorf("%s was kept in memory", f.name)
				}
				continue
			}
			h := got.header
			if got.body != string(f.content) || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("%s: %v", f.name, h)
			}
			asPicture := h.Get("Content-Type") == "image/png" && h.Get("Content-Disposition") == ""
			asDownload := h.Get("Content-Type") == "application/octet-stream" && strings.HasPrefix(h.Get("Content-Disposition"), "attachment")
			if asPicture != f.picture || asDownload == f.picture {
				t.Errorf("%s: %v", f.name, h)
			}
		}
		for _, path := range []string{"1/99", "1/-1", "1/x", "9/0", "1/..%2f..%2ftickets%2f1.json"} {
			if got := do(t, "GET", s.URL+"/simulator/files/"+path, "", nil); got.status != 404 {
				t.Errorf("%s answered %d", path, got.status)
			}
		}
	}
}
