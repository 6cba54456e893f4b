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

// encoding is what remains of a Content-Encoding once labels that encode nothing are
// removed: "" for a plain file.
type encoding string

const encodingGzip encoding = "gzip"

// codings are the codings that change the bytes
// (https://www.iana.org/assignments/http-parameters/http-parameters.xhtml#content-coding).
var codings = []string{
	"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "x-compress", "x-gzip", "zstd",
}

// contentEncoding reads Content-Encoding. Object stores keep there whatever the uploader
// wrote, such as aws-chunked, utf-8 or base64, for a plain file. Like browsers, it ignores
// what is not a coding.
func contentEncoding(h http.Header) encoding {
	var found []string
	for label := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if label = lowerASCII(strings.TrimSpace(label)); slices.Contains(codings, label) {
			found = append(found, strings.TrimPrefix(label, "x-"))
		}
	}
	return encoding(strings.Join(found, ", "))
}

// isZipped reports whether a file labelled gzip has to be decoded: it is gzip, and not a
// .gz file that should stay one.
func isZipped(media string, head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) && media != "application/gzip" && media != "application/x-gzip"
}

// gunzipped is a file that arrives compressed although that was not requested. It ends with
// io.EOF only if both the compressed file and its content are complete.
type gunzipped struct {
	zipped *gzip.Reader
	source *stream
	read   int64
}

// gunzip decodes s, of which head has been read already.
func gunzip(s *stream, head []byte) (*gunzipped, error) {
	g := &gunzipped{source: s}
	var err error
	if g.zipped, err = gzip.NewReader(io.MultiReader(bytes.NewReader(head), s)); err != nil {
		return nil, g.fault(err)
	}
	return g, nil
}

// Close ends the stream.
func (g *gunzipped) Close() error { return g.source.Close() }

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

// fault returns the source's own error, or one that says that its data is damaged.
func (g *gunzipped) fault(err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if errors.Is(err, errClosed) {
		return err
	}
	return temporary(reasonDamaged, "get %s: %w", g.source.answer.target, err)
}
