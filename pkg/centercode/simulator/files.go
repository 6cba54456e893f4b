package simulator

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

const (
	maxPictureBytes = 1 << 20   // limit for a picture kept in memory
	maxFormBytes    = 64 << 10  // limit for the form around the file
	readSize        = 512 << 10 // multipart alone reads 4 KiB at a time
)

func (s *Simulator) serveFile(w http.ResponseWriter, r *http.Request) {
	c := Call{Op: OpFile, Project: r.PathValue("project"), TicketID: r.PathValue("ticket"), Element: r.PathValue("element"), Request: r}
	s.carryOut(w, c, func() reply {
		a := s.takeFile(c)
		readOn(r)
		return a
	})
}

// takeFile reads a form with one file and adds the file to its ticket.
func (s *Simulator) takeFile(c Call) reply {
	r, ok := s.ticket(c.TicketID)
	elements := s.form().FileElements
	known := elements == nil || slices.Contains(elements, c.Element)
	if !ok || !known || r.Project != c.Project {
		return reply{status: http.StatusNotFound, body: []byte(notFound)}
	}
	if c.Request.Header.Get("Expect") != "" && s.config.RefuseExpect {
		return refusal(http.StatusExpectationFailed, "The expectation cannot be met.")
	}
	if c.Request.ContentLength < 0 && s.config.RefuseChunked {
		return refusal(http.StatusLengthRequired, "The request must say its length.")
	}
	// Checked before the first byte is read, so that a client that asks first
	// (100-continue) does not send the file.
	if c.Request.ContentLength > s.config.MaxFileBytes+maxFormBytes {
		return s.tooLarge()
	}
	mediaType, params, err := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return refusal(http.StatusUnsupportedMediaType, "The request must be multipart/form-data.")
	}
	form := multipart.NewReader(bufio.NewReaderSize(c.Request.Body, readSize), params["boundary"])
	part, err := form.NextPart()
	if err != nil {
		return refusal(http.StatusBadRequest, "The form cannot be read.")
	}
	if s.config.FileField != "" && part.FormName() != s.config.FileField || part.FileName() == "" {
		return refusal(http.StatusBadRequest, "The form has no file.")
	}
	in, err := s.receive(part)
	if errors.Is(err, errTooLarge) {
		return s.tooLarge()
	}
	defer in.discard()
	if err != nil {
		return refusal(http.StatusBadRequest, "The form broke off.")
	}
	if _, err := form.NextPart(); err != io.EOF {
		return refusal(http.StatusBadRequest, "The form must end after its file.")
	}
	in.Element, in.Field, in.Name = c.Element, part.FormName(), part.FileName()
	in.ContentType = part.Header.Get("Content-Type")
	if err := s.keep(r, in); err != nil {
		return refusal(http.StatusInternalServerError, "The file cannot be saved.")
	}
	return jsonReply(http.StatusCreated, map[string]any{"element": in.Element, "name": in.Name, "size": in.Size})
}

func (s *Simulator) tooLarge() reply {
	return refusal(http.StatusRequestEntityTooLarge, "The file is larger than %d bytes.", s.config.MaxFileBytes)
}

var errTooLarge = errors.New("file is too large")

// incoming is a file that is being received.
type incoming struct {
	File
	temp *os.File      // the content, if there is a Dir
	data *bytes.Buffer // the beginning of the content, if there is none
}

// receive reads a file to its end, in no more memory than a small picture needs. The caller
// must discard the result, even after an error.
func (s *Simulator) receive(from io.Reader) (*incoming, error) {
	in := &incoming{data: new(bytes.Buffer)}
	sum := sha256.New()
	to := []io.Writer{sum}
	if s.config.Dir != "" {
		temp, err := os.CreateTemp(filepath.Join(s.config.Dir, filesDir), temporary+"*")
		if err != nil {
			return in, fmt.Errorf("create a file: %w", err)
		}
		in.temp = temp
		to = append(to, temp)
	}
	head := &headWriter{to: in.data, left: maxPictureBytes}
	size, err := io.CopyBuffer(io.MultiWriter(append(to, head)...), io.LimitReader(from, s.config.MaxFileBytes+1), make([]byte, 64<<10))
	if err != nil {
		return in, fmt.Errorf("receive a file: %w", err)
	}
	if size > s.config.MaxFileBytes {
		in.discard()
		return in, errTooLarge
	}
	in.Size, in.SHA256 = size, hex.EncodeToString(sum.Sum(nil))
	in.Picture = pictureType(in.data.Bytes())
	return in, nil
}

// headWriter keeps the first bytes that are written to it.
type headWriter struct {
	to   io.Writer
	left int
}

func (h *headWriter) Write(p []byte) (int, error) {
	n := min(len(p), h.left)
	h.left -= n
	if _, err := h.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// discard removes the temporary file, unless the file was kept.
func (in *incoming) discard() {
	if in.temp == nil {
		return
	}
	abandon(in.temp)
	in.temp = nil
}

// pictureTypes are the types that a browser may show. SVG is not among them, since it can
// hold scripts.
var pictureTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// pictureType returns the media type of a picture by its content, or "". The declared type
// must not decide how a browser treats the file.
func pictureType(data []byte) string {
	if t := http.DetectContentType(data); slices.Contains(pictureTypes, t) {
		return t
	}
	return ""
}
