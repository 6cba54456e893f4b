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
	"net/url"
	"strings"
	"unicode"
)

// expectFrom is the file size in bytes from which the server is asked whether it
// wants the file before it is sent: a refusal then costs no upload, and is not
// lost when the server hangs up on what is still on its way.
const expectFrom = 64 << 10

// FileRequest asks for a file to be added to a ticket.
type FileRequest struct {
	// Endpoint is where the element takes its file: one of [Ticket].Files, or
	// the user's own, absolute or relative to the base URL. One that is not on a
	// host of Centercode's is refused: see [Client.CheckEndpoint].
	Endpoint    string
	APIKey      string // never shown in an error
	Field       string // the form field; "" is "file"
	Name        string // the file's name, cleaned by the caller
	ContentType string // "" is application/octet-stream
	Size        int64  // in bytes; -1 if it is not known
	// Body is read once and not closed. AddFile returns only when it no longer
	// reads from it, so a Body that can block must end with ctx.
	Body io.Reader
	// Reopen gives the file anew, and its size or -1, where Centercode wants it in
	// another way or at another place after some of Body was read. AddFile closes
	// what it gives. nil: it cannot be had again.
	Reopen func(context.Context) (io.ReadCloser, int64, error)
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
// A success is Centercode's word that it has the file if all of the form was
// sent, and unless the answer holds a refusal. A web page is not Centercode's (a
// sign-in page, say), and counts as a lost answer as one that breaks off does,
// but for 201 and 204, which are certain.
//
// The file is sent again at once where it is known not to have arrived, and how
// it has to be sent: without Expect after 417, with its length after 411, to
// another place after 307 and 308, there without the API key unless the place is
// Centercode's own.
func (c *Client) AddFile(ctx context.Context, r FileRequest) (written int64, err error) {
	x := c.begin(OpAddFile, r.APIKey)
	target, err := c.ownURL(r.Endpoint)
	if err != nil {
		return 0, x.cannotSend(fmt.Errorf("file endpoint: %s %w", withoutQuery(r.Endpoint), err))
	}
	u := &upload{client: c, call: x, request: r, target: target, by: c.http, asks: true,
		file: &content{body: r.Body, size: r.Size, reopen: r.Reopen}}
	defer u.file.close()
	if err := u.file.peek(); err != nil {
		return 0, sourceFault(ctx, err)
	}
	for {
		again, err := u.send(ctx)
		if !again {
			return u.written, err
		}
	}
}

// upload is a file on its way, which can take several requests.
type upload struct {
	client  *Client
	call    *call
	request FileRequest
	file    *content

	target *url.URL
	by     *http.Client // what reaches target
	asks   bool         // with Expect, if the file is large enough
	moves  int          // how often target was changed
	// written is how many bytes of the file the latest request has read.
	written int64
}

// send makes one request. again means that another has to follow, and that this
// one did nothing.
func (u *upload) send(ctx context.Context) (again bool, err error) {
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	body, contentType, err := newUploadBody(u.request, u.file)
	if err != nil {
		return false, u.call.cannotSend(err)
	}
	newRequest := u.call.plainRequest
	if u.client.isOwn(u.target) {
		newRequest = u.call.ownRequest
	}
	req, err := newRequest(sending, http.MethodPost, u.target, body.newHandle())
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", contentType)
	req.ContentLength = body.length()
	if u.asks && (u.file.size < 0 || u.file.size >= expectFrom) {
		req.Header.Set("Expect", "100-continue")
	}
	// On a connection that turns out to be closed, net/http starts again if it
	// gets the body anew, and it can have it as long as nothing was read.
	req.GetBody = body.again

	resp, err := u.call.send(sending, u.by, req)
	var change func(context.Context) error
	if err == nil {
		if change = u.changeFor(resp, req); change == nil {
			if err = u.call.added(sending, cancel, resp); err == nil {
				body.finish(sending)
			}
		}
		resp.Body.Close()
	}
	o := body.stop()
	u.written = o.written
	u.file.used = u.file.used || o.opened
	if change != nil {
		err = change(ctx)
		return err == nil, err
	}
	return false, uploadFault(sending, err, o)
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

// sourceFault is the error of a file that failed outside a request.
func sourceFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Error{Op: OpAddFile, Err: ctxError(ctx, errors.New(Redact(err.Error())))}
	}
	return &SourceError{Err: err}
}

// added reads the answer to an upload. Its error is an *Error.
func (x *call) added(ctx context.Context, cancel func(), resp *http.Response) error {
	r, err := x.read(ctx, cancel, resp, maxErrorBytes)
	switch certain := r.status == http.StatusCreated || r.status == http.StatusNoContent; {
	case err != nil || certain:
		return err
	case r.broke != nil:
		return &Error{Op: x.op, Request: x.request(), Status: r.status, Lost: true, Err: r.broke}
	case isPage(r.body):
		return &Error{Op: x.op, Request: x.request(), Status: r.status, Lost: true,
			Description: x.description("the answer is a web page: " + x.describe(r.body))}
	}
	return nil
}

// newUploadBody returns the multipart body of a file and its content type.
func newUploadBody(r FileRequest, file *content) (*uploadBody, string, error) {
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
		source: file.body,
		size:   file.size,
		head:   around.Bytes()[:head],
		tail:   around.Bytes()[head:],
	}, form.FormDataContentType(), nil
}
