package centercode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"unicode"
)

// expectAbove is the file size in bytes above which the server is asked whether
// it wants the file before it is sent: a refusal then costs no upload.
const expectAbove = 1 << 20

// FileRequest asks for a file to be added to a ticket.
type FileRequest struct {
	// Endpoint is where the element takes its file: one of [Ticket].Files, or
	// the user's own, absolute or relative to the base URL. One that is on another
	// host is refused.
	Endpoint    string
	APIKey      string // never shown in an error
	Field       string // the form field; "" is "file"
	Name        string // the file's name, cleaned by the caller
	ContentType string // "" is application/octet-stream
	Size        int64  // in bytes; -1 if it is not known, the upload is then chunked
	// Body is read once and not closed. AddFile returns only when it no longer
	// reads from it, so a Body that can block must end with ctx.
	Body io.Reader
}

// SourceError says that an upload failed because its Body did: it could not be
// read, or was not as long as it was said to be.
type SourceError struct{ Err error }

// Error says what was wrong with the source, without any URL's query.
func (e *SourceError) Error() string { return "read the file to add: " + Redact(e.Err.Error()) }

// Unwrap returns the Body's own error.
func (e *SourceError) Unwrap() error { return e.Err }

// AddFile streams a file to its element's endpoint as multipart/form-data and
// returns how many of the file's bytes were read to be sent. An error is a
// *[SourceError] if the Body failed, else an *[Error].
//
// A 2xx is Centercode's word that it has the file, whatever its body holds,
// except for an HTML page, which is not Centercode's (a sign-in page, say) and
// counts as a lost answer.
func (c *Client) AddFile(ctx context.Context, r FileRequest) (written int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &call{op: OpAddFile, key: r.APIKey}
	u, err := c.ownURL(r.Endpoint)
	if err != nil {
		return 0, &Error{Op: x.op, Err: fmt.Errorf("file endpoint: %w", err)}
	}
	body, contentType, err := newUploadBody(r)
	if err != nil {
		return 0, &Error{Op: x.op, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body.newHandle())
	if err != nil {
		return 0, &Error{Op: x.op, Err: redactError(err, x.key)}
	}
	req.Header.Set("Content-Type", contentType)
	req.ContentLength = body.length()
	if r.Size < 0 || r.Size > expectAbove {
		req.Header.Set("Expect", "100-continue")
	}
	// On a connection that turns out to be closed, net/http starts again if it
	// gets the body anew, and it can have it as long as nothing was read.
	req.GetBody = body.again

	resp, err := c.send(ctx, x, req)
	if err == nil {
		if err = x.added(resp, cancel); err == nil {
			body.finish(ctx)
		}
		resp.Body.Close()
	}
	o := body.stop()
	return o.written, uploadFault(ctx, err, o)
}

// uploadFault decides whose fault it was. An answer is worth more than what
// happened to the body afterwards; a body that broke has broken the connection
// too; and a form that was not sent to its end cannot have become a file.
func uploadFault(ctx context.Context, err error, o outcome) error {
	var e *Error
	if errors.As(err, &e) {
		// A server that answered may have had more than is known here.
		e.Lost = e.Lost && (o.sent || e.Status != 0 && o.handedOut)
	}
	switch {
	case e != nil && e.Status != 0:
		return err
	case o.source != nil && ctx.Err() == nil:
		return &SourceError{Err: o.source}
	case err == nil && !o.sent:
		return &Error{Op: OpAddFile, Status: http.StatusOK, Description: "answered before it had the whole file", Err: ctx.Err()}
	}
	return err
}

// added reads the answer to an upload.
func (x *call) added(resp *http.Response, cancel func()) error {
	if resp.StatusCode/100 != 2 {
		return x.refused(resp, cancel)
	}
	answer, _, _ := readBody(resp.Body, maxErrorBytes, cancel) // the status has said it
	if answer = bytes.TrimSpace(trimBOM(answer)); bytes.HasPrefix(answer, []byte("<")) {
		return &Error{Op: x.op, Status: resp.StatusCode, Lost: true,
			Description: x.clip("the answer is a web page: " + describe(answer))}
	}
	return nil
}

// newUploadBody returns the multipart body of r and its content type.
func newUploadBody(r FileRequest) (*uploadBody, string, error) {
	field := r.Field
	if field == "" {
		field = "file"
	}
	contentType := r.ContentType
	if contentType == "" || strings.ContainsFunc(contentType, unicode.IsControl) {
		contentType = "application/octet-stream"
	}
	// The writer makes what stands before and behind the file; the file itself
	// never goes through it.
	var around bytes.Buffer
	form := multipart.NewWriter(&around)
	_, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(field, r.Name)},
		"Content-Type":        {contentType},
	})
	if err != nil {
		return nil, "", fmt.Errorf("write the form: %w", err)
	}
	head := around.Len()
	if err := form.Close(); err != nil {
		return nil, "", fmt.Errorf("write the form: %w", err)
	}
	return &uploadBody{
		source: r.Body,
		size:   r.Size,
		head:   around.Bytes()[:head],
		tail:   around.Bytes()[head:],
	}, form.FormDataContentType(), nil
}
