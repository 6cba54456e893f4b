package attachment

import (
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	tests := map[string]string{
		"screenshot.png":                    "screenshot.png",
		"Größe 大きさ 🙂.png":                   "Größe 大きさ 🙂.png",
		"two\u00a0words.txt":                "two words.txt",
		"":                                  "",
		".":                                 "",
		"..":                                "",
		" . ":                               "",
		"///":                               "",
		"../../etc/passwd":                  "passwd",
		`C:\Users\alice\log.txt`:            "log.txt",
		`..\..\log.txt`:                     "log.txt",
		".htaccess":                         "htaccess",
		"log.txt. . ":                       "log.txt",
		"a\x00b\r\nc\td.txt":                "abcd.txt",
		"a\"b'c`d.txt":                      "a_b_c_d.txt",
		`x"; filename="evil.exe`:            "x__ filename=_evil.exe",
		"a<b>c:d|e?f*g%h.txt":               "a_b_c_d_e_f_g_h.txt",
		"photo\u202egnp.exe":                "photognp.exe",
		"a\u200bb\u2066c\u2028d\ufeffe.txt": "abcde.txt",
		"bad\xff\xfeutf8.txt":               "badutf8.txt",
		"\U000e0041tag.txt":                 "tag.txt",
		"CON":                               "_CON",
		"con.txt":                           "_con.txt",
		"Nul .tar.gz":                       "_Nul .tar.gz",
		"COM1.log":                          "_COM1.log",
		"LPT².log":                          "_LPT².log",
		"COM10.log":                         "COM10.log",
		"CONSOLE.log":                       "CONSOLE.log",
		long:                                long[:199],
		long + ".png":                       long[:195] + ".png",
		long + "." + long:                   long[:199],
		strings.Repeat("é", 150) + ".png":   strings.Repeat("é", 97) + ".png",
		"CON" + strings.Repeat(" ", 300) + ".png": "_CON.png",
	}
	for name, want := range tests {
		if got := CleanName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url, disposition, kind, want string
	}{
		{"disposition", "https://h/a.png", `attachment; filename="b.png"`, "image/png", "b.png"},
		{"disposition, UTF-8", "https://h/a.png", `attachment; filename="x.png"; filename*=UTF-8''%E2%82%AC.png`, "image/png", "€.png"},
		{"disposition with a path", "https://h/a.png", `attachment; filename="../b.png"`, "image/png", "b.png"},
		{"disposition of nothing", "https://h/a.png", `attachment; filename=".."`, "image/png", "a.png"},
		{"broken disposition", "https://h/a.png", `attachment; filename="b`, "image/png", "a.png"},
		{"last segment", "https://h/x/a%20b.png?c=d.exe", "", "image/png", "a b.png"},
		{"encoded slash", "https://h/x/a%2Fb.png", "", "image/png", "b.png"},
		{"no segment", "https://h/x/", "", "image/jpeg", "attachment.jpg"},
		{"no path", "https://h", "", "text/plain; charset=utf-8", "attachment.txt"},
		{"unknown type", "https://h/", "", "x/y", "attachment.bin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Content-Disposition": {tt.disposition}}
			if got := fileName(tt.url, h, tt.kind); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"a.png", "../x", "CON.txt", "\u202egnp.exe", "a\xffb", strings.Repeat("é", 200) + ".tar", "..", "x . "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name := CleanName(raw)
		switch {
		case !utf8.ValidString(name) || len(name) > maxNameBytes:
			t.Errorf("%q: %q is not valid or too long", raw, name)
		case strings.ContainsAny(name, "/\\\"'`<>:|?*;%"):
			t.Errorf("%q: %q has reserved characters", raw, name)
		case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
			t.Errorf("%q: %q has invisible characters", raw, name)
		case strings.Trim(name, " .") != name || isReserved(name):
			t.Errorf("%q: %q is hidden or a device", raw, name)
		case CleanName(name) != name:
			t.Errorf("%q: %q is not clean: %q", raw, name, CleanName(name))
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes 5-9/*")
	f.Add("bytes */10")
	f.Add("bytes 9-5/+7")
	f.Fuzz(func(t *testing.T, s string) {
		first, last, total, err := parseContentRange(s)
		if err == nil && (first < 0 || last < first || total >= 0 && last >= total) {
			t.Errorf("%q: %d-%d/%d", s, first, last, total)
		}
	})
}
