package centercode_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

// pattern returns a file of this size, generated as it is read.
func pattern(size int64) io.Reader { return io.LimitReader(&repeat{}, size) }

// block has a length that divides no buffer's.
var block = func() []byte {
	b := make([]byte, 65521)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}()

type repeat struct{ at int }

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], block[r.at:])
		n += m
		r.at = (r.at + m) % len(block)
	}
	return n, nil
}

func sha(r io.Reader) string {
	h := sha256.New()
	_, _ = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil))
}

// withTicket starts a simulator that has a ticket, and returns the endpoint for its file.
func withTicket(t *testing.T, o centercodesim.Config) (*centercodesim.Server, *centercode.Client, string) {
	t.Helper()
	sim := start(t, o)
	c := newClient(t, sim.URL)
	ticket, err := c.CreateTicket(t.Context(), ticketRequest(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return sim, c, ticket.Files["screenshot"]
}

func file(endpoint string, size int64, body io.Reader) centercode.FileRequest {
	return centercode.FileRequest{Endpoint: endpoint, APIKey: apiKey, Name: "a.bin", ContentType: "text/plain", Size: size, Body: body}
}

func TestAddFile(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 32 << 10, 1 << 20, 1<<20 + 1, 5<<20 + 3} {
		for _, known := range []bool{true, false} {
			for name, source := range map[string]func() io.Reader{
				"as generated":      func() io.Reader { return pattern(size) },
				"in odd pieces":     func() io.Reader { return iotest.HalfReader(pattern(size)) },
				"with its end":      func() io.Reader { return iotest.DataErrReader(pattern(size)) },
				"as a bytes.Reader": func() io.Reader { b, _ := io.ReadAll(pattern(size)); return bytes.NewReader(b) },
			} {
				t.Run(fmt.Sprintf("%d bytes, length known %v, %s", size, known, name), func(t *testing.T) {
					sim, c, endpoint := withTicket(t, centercodesim.Config{RefuseChunked: known || size <= 1<<20})
					r := file(endpoint, size, source())
					if !known {
						r.Size = -1
					}
					written, err := c.AddFile(t.Context(), r)
					if err != nil || written != size {
						t.Fatalf("wrote %d: %v", written, err)
					}
					got := sim.Tickets()[0].Files
					if len(got) != 1 || got[0].Size != size || got[0].SHA256 != sha(pattern(size)) ||
						got[0].Name != "a.bin" || got[0].ContentType != "text/plain" || got[0].Field != "file" {
						t.Errorf("arrived as %+v", got)
					}
				})
			}
		}
	}
}

func TestAddFileForm(t *testing.T) {
	tests := []struct{ field, name, contentType, wantField, wantName, wantType string }{
		{"", "shot.jpg", "image/jpeg", "file", "shot.jpg", "image/jpeg"},
		{"upload", "a \"quoted\" \\ name.png", "image/png", "upload", "a \"quoted\" \\ name.png", "image/png"},
		{"f\"x", "Größe 😀.txt", "", "f\"x", "Größe 😀.txt", "application/octet-stream"},
		{"", "a\r\nX-Evil: 1", "text/plain\r\nX-Evil: 1", "file", "a%0D%0AX-Evil: 1", "application/octet-stream"},
	}
	for _, tt := range tests {
		var part *multipart.Part
		var params map[string]string
		var request *http.Request
		s := answering(t, func(w http.ResponseWriter, r *http.Request) {
			request = r
			form, err := r.MultipartReader()
			if err == nil {
				part, err = form.NextPart()
			}
			if err == nil {
				_, params, err = mime.ParseMediaType(part.Header.Get("Content-Disposition"))
				_, _ = io.Copy(io.Discard, r.Body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
		_, err := newClient(t, s.URL).AddFile(t.Context(), centercode.FileRequest{
			Endpoint: "feedback/1/files/x?part=2", APIKey: apiKey, Field: tt.field, Name: tt.name,
			ContentType: tt.contentType, Size: 2, Body: strings.NewReader("hi"),
		})
		if err != nil {
			t.Errorf("%q: %v", tt.name, err)
			continue
		}
		if params["name"] != tt.wantField || params["filename"] != tt.wantName ||
			part.Header.Get("Content-Type") != tt.wantType || part.Header.Get("X-Evil") != "" {
			t.Errorf("arrived as %q, %v", params, part.Header)
		}
		if q := request.URL.Query(); q.Get("apiKey") != apiKey || q.Get("part") != "2" || request.URL.Path != "/api/v1/feedback/1/files/x" {
			t.Errorf("sent to %s", request.URL)
		}
		if request.ContentLength <= 0 || request.TransferEncoding != nil || request.Header.Get("Expect") != "" {
			t.Errorf("sent with length %d, %v, %v", request.ContentLength, request.TransferEncoding, request.Header)
		}
	}
}

func TestAddFileElsewhere(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	for _, endpoint := range []string{"https://evil.example/x", "http://127.0.0.1:2/x", "http://127.0.0.1:1@evil.example/", "//evil.example", "file:///etc/passwd"} {
		_, err := c.AddFile(t.Context(), file(endpoint, 1, strings.NewReader("x")))
		if e := apiError(t, err); e.Status != 0 || e.Lost || !e.Permanent() {
			t.Errorf("%s: %+v", endpoint, *e)
		}
	}
}
