package attachment

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// encoding is what remains of an answer's Content-Encoding once the labels that
// encode nothing are taken away: "" for a plain file.
type encoding string

const encodingGzip encoding = "gzip"

// codings are the codings that change the bytes
// (https://www.iana.org/assignments/http-parameters/http-parameters.xhtml#content-coding).
var codings = []string{
	"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "x-compress", "x-gzip", "zstd",
}

// contentEncoding reads Content-Encoding. Object stores keep there whatever the
// uploader wrote, such as aws-chunked, utf-8 or base64, over a plain file:
// browsers pass over what is no coding, and so does this.
func contentEncoding(h http.Header) encoding {
	var found []string
	for label := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if label = lowerASCII(strings.TrimSpace(label)); slices.Contains(codings, label) {
			found = append(found, strings.TrimPrefix(label, "x-"))
		}
	}
	return encoding(strings.Join(found, ", "))
}

// isZipped reports whether a file that is labelled gzip has to be decoded: it is
// gzip, and not a .gz file that is meant to stay one.
func isZipped(media string, head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) && media != "application/gzip" && media != "application/x-gzip"
}

// gunzipped is a file that arrives compressed though that was not asked for. It
// ends with io.EOF only if both are whole, the compressed file and what it holds.
type gunzipped struct {
	zipped *gzip.Reader
	source *stream
	read   int64
}

// gunzip decodes s, of which head has been read.
func gunzip(s *stream, head []byte) (*gunzipped, error) {
	g := &gunzipped{source: s}
	var err error
	if g.zipped, err = gzip.NewReader(io.MultiReader(bytes.NewReader(head), s)); err != nil {
		return nil, g.fault(err)
	}
	return g, nil
}

// Read implements io.Reader; its errors are those of a stream.
func (g *gunzipped) Read(p []byte) (int, error) {
	limit := g.source.fetcher.maxBytes
	n, err := g.zipped.Read(p[:min(int64(len(p)), limit-g.read+1)])
	if g.read += int64(n); g.read > limit {
		return n, tooLarge(g.source.answer.target, limit)
	}
	if err != nil && err != io.EOF {
		err = g.fault(err)
	}
	return n, err
}

// fault is the source's own error, or says that what it sent is damaged.
func (g *gunzipped) fault(err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if errors.Is(err, errClosed) {
		return err
	}
	return temporary(reasonDamaged, "get %s: %w", g.source.answer.target, err)
}
