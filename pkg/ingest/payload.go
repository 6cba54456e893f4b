package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// gzipMagic starts every gzip stream, and no JSON text.
// https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
var gzipMagic = []byte{0x1f, 0x8b}

// contentLength is the length of the body that the request declares, or -1.
func contentLength(req events.APIGatewayV2HTTPRequest) int {
	n, err := strconv.Atoi(req.Headers["content-length"])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// readPayload gives the body's bytes, out of base64 and gzip, and notes in o how
// many were sent. A body that is too long is not decoded.
func readPayload(req events.APIGatewayV2HTTPRequest, o *Outcome) ([]byte, *fault) {
	o.Bytes = len(req.Body)
	if req.IsBase64Encoded {
		unpadded := strings.TrimRight(req.Body, "=")
		o.Bytes = base64.RawStdEncoding.DecodedLen(len(unpadded))
	}
	if o.Bytes > MaxPayloadBytes {
		return nil, tooLarge()
	}
	payload := []byte(req.Body)
	if req.IsBase64Encoded {
		var err error
		if payload, err = base64.StdEncoding.DecodeString(req.Body); err != nil {
			return nil, &fault{status: http.StatusBadRequest, reason: ReasonBadBase64,
				detail: "The body came marked as base64 and is not. Send the JSON as it is, with Content-Type: application/json."}
		}
	}
	if bytes.HasPrefix(payload, gzipMagic) {
		return decompress(payload)
	}
	return payload, nil
}

// decompress goes by the bytes and not by Content-Encoding, which may be missing
// or say of plain JSON that it is compressed. It stops at what is accepted, so
// that a small body cannot become a large one in memory.
func decompress(payload []byte) ([]byte, *fault) {
	var plain []byte
	r, err := gzip.NewReader(bytes.NewReader(payload))
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(r, MaxPayloadBytes+1))
	}
	if len(plain) > MaxPayloadBytes {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, &fault{status: http.StatusBadRequest, reason: ReasonBadGzip,
			detail: "The body is compressed with gzip, but cannot be decompressed. Send the JSON as it is."}
	}
	return plain, nil
}
