package centercode

import (
	"bytes"
	"cmp"
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

// expectFrom is the file size in bytes from which requests use Expect: 100-continue. A
// refusal then saves the upload, and is not lost when the server closes the connection with
// data still on its way.
const expectFrom = 64 << 10

// FileRequest is a request to add a file to a ticket.
type FileRequest struct {
	// Endpoint takes the element's file: one of [Ticket].Files, or the user's own, absolute
	// or relative to the base URL. An endpoint that is not on a Centercode host is refused:
	// see [Client.CheckEndpoint].
	Endpoint    string
	APIKey      string // never part of an error
	Field       string // the form field; the default is "file"
	Name        string // the file's name, sanitised by the caller
	ContentType string // the default is application/octet-stream
	Size        int64  // in bytes; -1 if unknown
	// Body is read once and not closed. When AddFile returns, it no longer reads from Body,
	// so a Body that can block must end with ctx.
	Body io.Reader
	// Reopen opens the file again and returns its size or -1, in case Centercode wants it
	// in another form or at another place after some of Body was read. AddFile closes the
	// result. nil if the file cannot be read again.
	Reopen func(context.Context) (io.ReadCloser, int64, error)
	// GiveUp, once it is closed, ends an upload of which not all was handed to the
	// connection: that has done nothing. The answer to one that was is waited for. A
	// Body that can block must end soon after. nil: never.
	GiveUp <-chan struct{}
}

// SourceError is the error of an upload whose Body failed: it could not be read, or did not
// have its stated length.
type SourceError struct{ Err error }

// Error describes the source's failure, without any URL's query.
func (e *SourceError) Error() string { return "read the file to add: " + Redact(e.Err.Error()) }

// Unwrap returns the Body's own error.
func (e *SourceError) Unwrap() error { return e.Err }

// AddFile streams a file to its element's endpoint as multipart/form-data and returns how
// many bytes of the file were read. An error is a *[SourceError] if the Body failed,
// otherwise an *[Error].
//
// A success confirms the file if the whole form was sent and the answer contains no
// refusal. A web page is not Centercode's own (it may be a sign-in page), and counts as a
// lost answer, like a success that breaks off; 201 and 204 are certain.
//
// The file is sent again at once, as the answer demands, if it is known not to have
// arrived: without Expect after 417, with its length after 411, to another place after 307
// and 308. The API key goes along only if that place is Centercode's own.
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

// upload is one file's upload, which can take several requests.
type upload struct {
	client  *Client
	call    *call
	request FileRequest
	file    *content

	target *url.URL
	by     *http.Client // the client for target
	asks   bool         // use Expect if the file is large enough
	moves  int          // how often target was changed
	// written is how many bytes of the file the latest request has read.
	written int64
}

// send makes one request. again means that it did nothing and another one has to follow.
func (u *upload) send(ctx context.Context) (again bool, err error) {
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	body, contentType := newUploadBody(u.request, u.file)
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
	// If the connection turns out to be closed, net/http retries with a new body, which it
	// can have as long as nothing was read.
	req.GetBody = body.again
	defer body.endOn(u.request.GiveUp, cancel)()

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

// uploadFault decides what caused a failure. An answer takes precedence over a later
// failure of the body; a body that failed also breaks the connection; and a form that was
// not sent completely cannot have become a file.
func uploadFault(ctx context.Context, err error, o outcome) error {
	var e *Error
	if errors.As(err, &e) {
		// A server that answered may have received more than is known here.
		e.Lost = e.Lost && (o.sent || e.Status != 0 && o.handedOut)
	}
	switch {
	case e != nil && e.Status != 0:
		return err
	case o.source != nil && ctx.Err() == nil:
		return &SourceError{Err: o.source}
	case err == nil && !o.sent:
		return &Error{Op: OpAddFile, Status: http.StatusOK, Description: "Centercode answered before it had the whole file", Err: ctx.Err()}
	}
	return err
}

// sourceFault returns the error of a file that failed outside a request.
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

// newUploadBody returns the multipart body of a file, and its content type.
func newUploadBody(r FileRequest, file *content) (*uploadBody, string) {
	contentType := r.ContentType
	if contentType == "" || strings.ContainsFunc(contentType, unicode.IsControl) {
		contentType = "application/octet-stream"
	}
	// The writer produces only the parts before and after the file; the file itself does
	// not go through it. Nothing that is written to a buffer fails.
	var around bytes.Buffer
	form := multipart.NewWriter(&around)
	_, _ = form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(cmp.Or(r.Field, "file"), r.Name)},
		"Content-Type":        {contentType},
	})
	head := around.Len()
	_ = form.Close()
	return &uploadBody{
		source: file.body,
		size:   file.size,
		head:   around.Bytes()[:head],
		tail:   around.Bytes()[head:],
	}, form.FormDataContentType()
}
