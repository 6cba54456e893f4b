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

// gzipMagic starts every gzip stream, and no JSON text. See
// https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
var gzipMagic = []byte{0x1f, 0x8b}

// contentLength returns the declared length of the body, or -1.
func contentLength(req events.APIGatewayV2HTTPRequest) int {
	n, err := strconv.Atoi(req.Headers["content-length"])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// readPayload returns the body after base64 and gzip decoding, and records in o how many
// bytes were sent. It does not decode a body that is too long.
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
				detail: "The body is marked as base64 but is not. Send the JSON as it is, with Content-Type: application/json."}
		}
	}
	if bytes.HasPrefix(payload, gzipMagic) {
		return decompress(payload)
	}
	return payload, nil
}

// decompress checks the bytes and not Content-Encoding, which may be missing, or wrong for
// plain JSON. It stops at the maximum size, so that a small body cannot become a large one
// in memory.
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
