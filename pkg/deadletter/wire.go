package deadletter

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ownBody keeps the SDK from losing answers. The SDK closes a request's body as soon as the
// answer begins, while net/http may still be reading it. With a server that answers within
// microseconds, six to eight answers in a thousand are lost, and the messages in them stay
// invisible. pkg/embedded ignores options. See
// https://github.com/aws/aws-sdk-go-v2/issues/1825 and /issues/2737
func ownBody(o *sqs.Options) { o.HTTPClient = bodyOwner{o.HTTPClient, new(int)} }

type bodyOwner struct {
	sqs.HTTPClient
	// requests counts the tries of one call, which are sequential.
	requests *int
}

// Do sends the request with a copy of its body, which only net/http closes.
func (c bodyOwner) Do(r *http.Request) (*http.Response, error) {
	*c.requests++
	if r.Body == nil {
		return c.HTTPClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	_ = r.Body.Close()
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return c.HTTPClient.Do(r)
}
