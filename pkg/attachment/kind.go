package attachment

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Want is the expected kind of a file.
type Want string

const (
	WantAny   Want = ""      // any file except a web page
	WantImage Want = "image" // a picture
	// WantREST is an answer of TestFairy's REST API: text for a log, JSON otherwise, and an
	// error if its "status" is "fail".
	WantREST Want = "rest"
)

const (
	sniffBytes  = 512 // http.DetectContentType looks at no more
	octetStream = "application/octet-stream"
)

// judge returns the type of the file at a URL, or the reason why it cannot be of the
// expected kind. A sign-in page with status 200 must not become a picture.
func judge(want Want, named *url.URL, h http.Header, head []byte) (kind, reason string) {
	sniffed := http.DetectContentType(head)
	declared, media := declaredType(h)
	extension := strings.ToLower(path.Ext(named.Path))
	vague := media == "" || media == octetStream || media == "binary/octet-stream" // the last is S3's default
	if vague {
		declared = sniffed
		if byName := imageTypes[extension]; sniffed == octetStream && byName != "" && !isSniffed(byName) {
			// Pictures whose content cannot be detected (HEIC, AVIF) are recognised by
			// their name.
			declared = byName
		}
	}
	switch {
	case isWebPage(media, sniffed, extension, want) && !(isHTMLExtension(extension) && want == WantAny):
		return "", reasonWebPage
	case want == WantREST && restFailed(media, head):
		return "", reasonRESTFailed
	case want == WantImage && !isPicture(declared, sniffed, head):
		return "", reasonNotImage
	}
	return declared, ""
}

// isPicture reports whether a file can be a picture. An encrypted screenshot still has a
// picture's name and type, so the content decides if it can.
func isPicture(declared, sniffed string, head []byte) bool {
	switch {
	case len(head) == 0 || !strings.HasPrefix(declared, "image/"):
		return false
	case isSniffed(declared):
		return strings.HasPrefix(sniffed, "image/")
	}
	return true
}

// isSniffed reports whether http.DetectContentType can detect a picture type.
func isSniffed(kind string) bool {
	media, _, _ := strings.Cut(kind, ";")
	switch media {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp":
		return true
	}
	return false
}

// isWebPage reports whether the file is HTML. A declared HTML type is believed; the content
// is as well, unless it may be text that starts like HTML.
func isWebPage(media, sniffed, extension string, want Want) bool {
	switch {
	case isHTML(media):
		return true
	case !isHTML(sniffed):
		return false
	case want == WantImage || imageTypes[extension] != "":
		return true
	}
	return !strings.HasPrefix(media, "text/")
}

func isHTML(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return media == "text/html" || media == "application/xhtml+xml"
}

func isHTMLExtension(extension string) bool {
	return extension == ".html" || extension == ".htm" || extension == ".xhtml"
}

// declaredType returns the source's Content-Type, normalised, and the part of it before the
// parameters; both are empty if it is missing or malformed.
func declaredType(h http.Header) (declared, media string) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !strings.Contains(media, "/") {
		return "", ""
	}
	if declared = mime.FormatMediaType(media, params); declared == "" {
		declared = media
	}
	return declared, media
}

// restFailed reports whether a JSON answer has "status":"fail" near the beginning of its
// top level; it looks at the head only.
func restFailed(media string, head []byte) bool {
	if media != "application/json" {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(head))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return false
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return false
		}
		if key == "status" {
			return value == "fail"
		}
	}
	return false
}

// imageTypes are the picture types by URL extension.
var imageTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".bmp": "image/bmp", ".heic": "image/heic", ".heif": "image/heif",
	".avif": "image/avif", ".tif": "image/tiff", ".tiff": "image/tiff", ".svg": "image/svg+xml",
}
