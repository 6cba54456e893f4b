package attachment

import (
	"io"
	"net/http"
	"testing"
)

const page = "\n<!DOCTYPE html><html><body>Please sign in"

func TestKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, declared, body string
		want                       Want
		kind                       string // the content type, or
		reason                     string // why the file is refused
	}{
		{"declared picture", "/a.png", "image/png", picture, WantImage, "image/png", ""},
		{"parameters", "/a.txt", "Text/Plain;charset=UTF-8", "abc", "", "text/plain; charset=UTF-8", ""},
		{"undeclared picture", "/a", "", picture, WantImage, "image/png", ""},
		{"S3's default", "/a.png", "binary/octet-stream", picture, WantImage, "image/png", ""},
		{"broken type", "/a.png", "image", picture, WantImage, "image/png", ""},
		{"HEIC by its name", "/a.HEIC", "application/octet-stream", "\x00\x01\x02", WantImage, "image/heic", ""},
		{"undeclared text", "/a", "", "abc", "", "text/plain; charset=utf-8", ""},
		{"undeclared binary", "/a", "", "\x00\x01\x02", "", "application/octet-stream", ""},
		{"declared against the sniff", "/a.sqlite", "application/vnd.sqlite3", "abc", "", "application/vnd.sqlite3", ""},
		{"empty file", "/a.txt", "text/plain", "", "", "text/plain", ""},

		{"web page", "/a", "text/html; charset=utf-8", page, "", "", reasonWebPage},
		{"web page for a picture", "/a.png", "text/html", page, WantImage, "", reasonWebPage},
		{"web page, XHTML", "/a.png", "application/xhtml+xml", page, "", "", reasonWebPage},
		{"web page, upper case", "/a.png", "TEXT/HTML", page, "", "", reasonWebPage},
		{"web page by content", "/a", "application/octet-stream", page, "", "", reasonWebPage},
		{"web page undeclared", "/a", "", page, "", "", reasonWebPage},
		{"web page called a picture", "/a.png", "image/png", page, "", "", reasonWebPage},
		{"web page called a text, for a picture", "/a.png", "text/plain", page, "", "", reasonWebPage},
		{"web page called a picture, wanted", "/a", "image/png", page, WantImage, "", reasonWebPage},
		{"web page where one is named", "/a.html", "text/html", page, "", "text/html", ""},
		{"web page named, picture wanted", "/a.html", "text/html", page, WantImage, "", reasonWebPage},
		{"log that begins like a page", "/a.log", "text/plain", "<!-- log", "", "text/plain", ""},

		{"text for a picture", "/a.png", "text/plain", "abc", WantImage, "", reasonNotImage},
		{"JSON for a picture", "/a.png", "application/json", "{}", WantImage, "", reasonNotImage},
		{"sniffed text for a picture", "/a.png", "", "abc", WantImage, "", reasonNotImage},
		{"encrypted picture", "/a.png", "image/png", "\x00\x01\x02", WantImage, "", reasonNotImage},
		{"encrypted picture, S3's default type", "/a.jpg", "binary/octet-stream", "\x00\x01\x02", WantImage, "", reasonNotImage},
		{"encrypted and encoded", "/a.png", "image/png", "U2FsdGVkX18=", WantImage, "", reasonNotImage},
		{"one picture for another", "/a.jpg", "image/jpeg", picture, WantImage, "image/jpeg", ""},
		{"a picture that sniffing does not know", "/a", "image/avif", "\x00\x01\x02", WantImage, "image/avif", ""},
		{"empty picture", "/a.png", "image/png", "", WantImage, "", reasonNotImage},

		{"session log", "/", "text/plain", "abc", WantREST, "text/plain", ""},
		{"session meta", "/", "application/json", `{"status":"ok"}`, WantREST, "application/json", ""},
		{"REST failure", "/", "application/json", `{"code":5, "status":"fail"}`, WantREST, "", reasonRESTFailed},
		{"fail deeper down", "/", "application/json", `{"a":{"status":"fail"}, "status":"ok"}`, WantREST, "application/json", ""},
		{"JSON array", "/", "application/json", `["status","fail"]`, WantREST, "application/json", ""},
		{"broken JSON", "/", "application/json", `{"status":`, WantREST, "application/json", ""},
		{"REST sign-in page", "/", "text/html", page, WantREST, "", reasonWebPage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, url := local(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if tt.declared != "" {
					w.Header().Set("Content-Type", tt.declared)
				}
				io.WriteString(w, tt.body)
			}, Config{})
			file, got, err := fetch(t, f, OpenRequest{URL: url + tt.path, Want: tt.want})
			if tt.reason != "" {
				failure(t, err, true, tt.reason)
				return
			}
			if err != nil || file.ContentType != tt.kind || string(got) != tt.body {
				t.Errorf("%+v, %q, %v", file, got, err)
			}
		})
	}
}
