package attachment

import (
	"net/http"
	"net/url"
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
		{"disposition, Latin-1", "https://h/a.png", "attachment; filename=\"Gr\xf6\xdfe.png\"", "image/png", "Größe.png"},
		{"disposition, Latin-1 without quotes", "https://h/a.png", "attachment; filename=Gr\xf6\xdfe.png", "image/png", "Größe.png"},
		{"disposition, raw UTF-8", "https://h/a.png", `attachment; filename="Größe.png"`, "image/png", "Größe.png"},
		{"disposition, Latin-1 escaped", "https://h/a.png", `attachment; filename*=ISO-8859-1''Gr%F6%DFe.png`, "image/png", "Größe.png"},
		{"disposition, Latin-1 escaped next to ASCII", "https://h/a.png", `attachment; filename="Gr__e.png"; filename*=iso-8859-1'de'Gr%F6%DFe.png`, "image/png", "Größe.png"},
		{"disposition, RFC 2047 B", "https://h/a.png", `attachment; filename="=?UTF-8?B?R3LDtsOfZS5wbmc=?="`, "image/png", "Größe.png"},
		{"disposition, RFC 2047 Q", "https://h/a.png", `attachment; filename="=?iso-8859-1?Q?Gr=F6=DFe_1.png?="`, "image/png", "Größe 1.png"},
		{"disposition, RFC 2047 without quotes", "https://h/a.png", `attachment; filename==?UTF-8?B?R3LDtsOfZS5wbmc=?=`, "image/png", "Größe.png"},
		{"disposition, RFC 2047 in two words", "https://h/a.png", `attachment; filename="=?UTF-8?Q?Gr=C3=B6?= =?UTF-8?Q?=C3=9Fe.png?="`, "image/png", "Größe.png"},
		{"disposition, RFC 2047 in an unknown charset", "https://h/a.png", `attachment; filename="=?x-none?B?R3I=?="`, "image/png", "a.png"},
		{"disposition, spaces without quotes", "https://h/a.png", `attachment; filename=my shot.png; size=7`, "image/png", "my shot.png"},
		{"disposition, a quote and a semicolon within", "https://h/a.png", `attachment; filename="a\";b.png` + "\xdf" + `"; x y`, "image/png", "a__b.pngß"},
		{"disposition, twice", "https://h/a.png", `attachment; filename=b.png; filename=c.png`, "image/png", "b.png"},
		{"disposition without its type", "https://h/a.png", `filename="b.png"`, "image/png", "b.png"},
		{"disposition, extended and broken", "https://h/a.png", `attachment; filename="b.png"; filename*=UTF-8''%E2%8`, "image/png", "b.png"},
		{"Latin-1 in the URL", "https://h/Gr%F6%DFe.png", "", "image/png", "Größe.png"},
		{"last segment", "https://h/x/a%20b.png?c=d.exe", "", "image/png", "a b.png"},
		{"encoded slash", "https://h/x/a%2Fb.png", "", "image/png", "b.png"},
		{"no segment", "https://h/x/", "", "image/jpeg", "attachment.jpg"},
		{"no path", "https://h", "", "text/plain; charset=utf-8", "attachment.txt"},
		{"unknown type", "https://h/", "", "x/y", "attachment.bin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Content-Disposition": {tt.disposition}}
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := fileName(u, h, tt.kind); got != tt.want {
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

// FuzzContentDisposition: whatever name a source sends, the result is clean, and a
// well-formed name survives.
func FuzzContentDisposition(f *testing.F) {
	for _, seed := range []string{
		`attachment; filename="b.png"`, "attachment; filename=Gr\xf6\xdfe.png", `filename*=UTF-8''%E2%82%AC.png`,
		`inline; filename="=?UTF-8?B?R3LDtsOfZS5wbmc=?="`, `;;=;"\`, `attachment; filename="a\"b`,
	} {
		f.Add(seed)
	}
	u := &url.URL{Path: "/from-the-url.png"}
	f.Fuzz(func(t *testing.T, header string) {
		name := fileName(u, http.Header{"Content-Disposition": {header}}, "image/png")
		if name == "" || name != CleanName(name) {
			t.Errorf("%q: %q is not clean", header, name)
		}
		clean := CleanName(strings.Map(func(r rune) rune {
			if r < 0x80 && r != '\\' && r != '=' {
				return r
			}
			return -1
		}, header))
		if got := fileName(u, http.Header{"Content-Disposition": {`attachment; filename="` + clean + `"`}}, ""); clean != "" && got != clean {
			t.Errorf("%q became %q", clean, got)
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
