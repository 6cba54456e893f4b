package attachment

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"fairbridge/pkg/internal/clip"
)

const (
	maxNameBytes      = 200 // below the 255 of file systems, with room for a suffix
	maxExtensionBytes = 16
)

// fileName picks the file's name: the source's name for it, otherwise the last part of its
// URL, otherwise "attachment".
func fileName(u *url.URL, h http.Header, contentType string) string {
	if name := CleanName(dispositionName(h.Get("Content-Disposition"))); name != "" {
		return name
	}
	if !strings.HasSuffix(u.Path, "/") {
		if name := CleanName(fromLatin1(path.Base(u.Path))); name != "" {
			return name
		}
	}
	return "attachment" + extensionOf(contentType)
}

// CleanName makes a name from outside safe for a header and for any file system. It keeps
// the part after the last path separator, without control and invisible characters (such as
// those that reverse text), without characters that Windows and headers reserve, at most
// 200 bytes, with the extension. It returns "" if nothing is left. A clean name is returned
// unchanged.
func CleanName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = trimName(strings.Map(cleanRune, name))
	if len(name) > maxNameBytes {
		name = shorten(name)
	}
	if isReserved(name) {
		name = "_" + name
	}
	return name
}

// cleanRune returns what replaces r in a name; -1 for nothing.
func cleanRune(r rune) rune {
	switch {
	case r == utf8.RuneError: // includes invalid UTF-8
		return -1
	case strings.ContainsRune("\"'`<>:|?*;%", r):
		return '_'
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.IsGraphic(r):
		return r
	}
	return -1
}

// trimName removes leading dots, which hide a file, and trailing ones, which Windows drops.
func trimName(name string) string { return strings.Trim(name, " .") }

// shorten cuts the stem, not the extension, between two characters.
func shorten(name string) string {
	extension := path.Ext(name)
	if len(extension) > maxExtensionBytes {
		extension = ""
	}
	most := maxNameBytes - 1 - len(extension) // 1: a reserved name may get a "_"
	return trimName(clip.Bytes(name, most, "")) + extension
}

// isReserved reports whether name is a Windows device, with or without an extension
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func isReserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, numbered := strings.CutPrefix(stem, "COM")
	if !numbered {
		port, numbered = strings.CutPrefix(stem, "LPT")
	}
	return numbered && utf8.RuneCountInString(port) == 1 && strings.Contains("123456789¹²³", port)
}

// extensionOf returns the usual extension of a type. The list is fixed, so that
// a name does not depend on the machine's own.
func extensionOf(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	if extension := extensions[media]; extension != "" {
		return extension
	}
	return ".bin"
}

var extensions = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
	"image/bmp": ".bmp", "image/heic": ".heic", "image/heif": ".heif", "image/avif": ".avif",
	"image/tiff": ".tif", "image/svg+xml": ".svg",
	"text/plain": ".txt", "text/csv": ".csv", "text/xml": ".xml", "text/html": ".html",
	"application/xml": ".xml", "application/json": ".json", "application/pdf": ".pdf",
	"application/zip": ".zip", "application/gzip": ".gz", "application/x-gzip": ".gz",
	"application/vnd.sqlite3": ".sqlite", "application/x-sqlite3": ".sqlite",
	"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov",
}
