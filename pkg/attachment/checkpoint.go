package attachment

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// checkpoint records how far a file was read, and which version of it.
type checkpoint struct {
	offset   int64
	size     int64 // of the whole file; -1 if unknown
	encoding encoding
	etag     string // as received, or ""
	modified string // Last-Modified, if there is no ETag and it is a strong validator, or ""
}

// newCheckpoint reads the validators of a 200 response. A date counts only without an ETag,
// and if it was at least a second old: a more recent one may stand for two versions (RFC
// 9110, 8.8.2.2 and 13.1.5).
func newCheckpoint(resp *http.Response) checkpoint {
	c := checkpoint{size: resp.ContentLength, etag: resp.Header.Get("Etag"), encoding: contentEncoding(resp.Header)}
	if c.etag != "" {
		return c
	}
	modified, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil {
		return c
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && date.Sub(modified) >= time.Second {
		c.modified = resp.Header.Get("Last-Modified")
	}
	return c
}

// resumable reports whether the same version can be requested again. A weak ETag may stand
// for different bytes, so it does not count.
func (c *checkpoint) resumable() bool {
	return strings.HasPrefix(c.etag, `"`) || c.modified != ""
}

// ask adds the headers that request the missing part.
func (c *checkpoint) ask(h http.Header) {
	h.Set("Range", fmt.Sprintf("bytes=%d-", c.offset))
	h.Set("If-Range", cmp.Or(c.etag, c.modified))
}

// continues checks that resp has the rest of the same version, and takes the file's size
// from it if that was unknown.
func (c *checkpoint) continues(resp *http.Response) error {
	if resp.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("answered %d to a range", resp.StatusCode)
	}
	if etag := resp.Header.Get("Etag"); etag != c.etag {
		return fmt.Errorf("etag is %q, was %q", etag, c.etag)
	}
	if encoding := contentEncoding(resp.Header); encoding != c.encoding {
		return fmt.Errorf("content encoding is %q, was %q", encoding, c.encoding)
	}
	// A 206 to a conditional request may leave out the date (RFC 9110, 15.3.7).
	if modified := resp.Header.Get("Last-Modified"); c.modified != "" && modified != "" && modified != c.modified {
		return fmt.Errorf("last modified %q, was %q", modified, c.modified)
	}
	first, last, size, err := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case err != nil:
		return err
	case first != c.offset:
		return fmt.Errorf("range begins at %d, not at %d", first, c.offset)
	case c.size >= 0 && size >= 0 && size != c.size:
		return fmt.Errorf("size is %d, was %d", size, c.size)
	}
	size = max(size, c.size)
	switch {
	case size < 0 || last != size-1:
		// Fewer bytes than requested, or an unknown size: the end would be a guess.
		return fmt.Errorf("range ends at %d of %d bytes", last, size)
	case resp.ContentLength >= 0 && resp.ContentLength != size-first:
		return fmt.Errorf("length %d for range %d-%d", resp.ContentLength, first, last)
	}
	c.size = size
	return nil
}

// parseContentRange reads "bytes 5-9/10"; size is -1 for "*" (RFC 9110, 14.4).
func parseContentRange(s string) (first, last, size int64, err error) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	positions, total, ok2 := strings.Cut(rest, "/")
	from, to, ok3 := strings.Cut(positions, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, fmt.Errorf("content range %q", s)
	}
	size = -1
	if total != "*" {
		size, err = parsePosition(total)
	}
	if err == nil {
		first, err = parsePosition(from)
	}
	if err == nil {
		last, err = parsePosition(to)
	}
	if err != nil || first > last || size >= 0 && last >= size {
		return 0, 0, 0, fmt.Errorf("content range %q", s)
	}
	return first, last, size, nil
}

func parsePosition(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63) // unlike ParseInt, it accepts no sign
	return int64(n), err
}
