// Package parameters reads SSM parameters with its own signed request. The functions need
// only this one call, while the SDK's client prepares all of SSM's operations at each cold
// start: about a third of the time that FairBridge adds to a start, and 0.24 MB of the
// package (docs/performance.md). The difficult parts of a call still come from the SDK:
// credentials, signature, and retries.
package parameters

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"fairbridge/pkg/secrets"
)

const (
	// serviceID is the SDK's name for SSM, by which endpoints are looked up.
	serviceID = "SSM"
	// maxAnswer is above a parameter's 8 KB with all of them escaped.
	// https://docs.aws.amazon.com/general/latest/gr/ssm.html
	maxAnswer = 64 << 10
	notFound  = "ParameterNotFound"
)

// Client reads parameters. It is safe for concurrent use.
type Client struct {
	config  aws.Config
	signer  *v4.Signer
	retryer aws.Retryer
}

var _ secrets.API = (*Client)(nil)

// New returns a client with the region, credentials, endpoints, HTTP client and retries of
// c. The default for retries is the SDK's standard.
func New(c aws.Config) *Client {
	client := &Client{config: c, signer: v4.NewSigner(), retryer: retry.NewStandard()}
	if c.Retryer != nil {
		client.retryer = c.Retryer()
	}
	return client
}

// GetParameter implements [secrets.API]. An error from SSM itself is a [smithy.APIError].
// See https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (c *Client) GetParameter(ctx context.Context, name string) (string, error) {
	body, err := json.Marshal(map[string]any{"Name": name, "WithDecryption": true})
	if err != nil {
		return "", fmt.Errorf("encode the request: %w", err)
	}
	for attempt := 1; ; attempt++ {
		value, err := c.try(ctx, body)
		if err == nil || ctx.Err() != nil || attempt == c.retryer.MaxAttempts() || !c.retryer.IsErrorRetryable(err) {
			return value, err
		}
		delay, delayErr := c.retryer.RetryDelay(attempt, err)
		if delayErr != nil {
			return "", err
		}
		if smithytime.SleepWithContext(ctx, delay) != nil {
			return "", err
		}
	}
}

func (c *Client) try(ctx context.Context, body []byte) (string, error) {
	request, err := c.request(ctx, body)
	if err != nil {
		return "", err
	}
	response, err := c.config.HTTPClient.Do(request)
	if err != nil {
		return "", &smithyhttp.RequestSendError{Err: err}
	}
	defer response.Body.Close()
	var answer struct {
		Parameter struct{ Value string }
		Type      string `json:"__type"`
		Message   string
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", &smithyhttp.RequestSendError{Err: fmt.Errorf("read the answer: %w", err)}
	}
	err = json.Unmarshal(text, &answer)
	if response.StatusCode == http.StatusOK {
		if err != nil {
			return "", fmt.Errorf("decode the answer: %w", err)
		}
		return answer.Parameter.Value, nil
	}
	// The body of an error may be anything, such as a proxy's page, which has no type.
	failure := error(&smithy.GenericAPIError{Code: errorCode(answer.Type), Message: answer.Message})
	if errorCode(answer.Type) == notFound {
		failure = fmt.Errorf("%w: %w", secrets.ErrNotFound, failure)
	}
	return "", &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: failure}
}

// request creates a signed request. See
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (c *Client) request(ctx context.Context, body []byte) (*http.Request, error) {
	endpoint, err := c.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
	credentials, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "ssm", c.config.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return request, nil
}

// endpoint returns the endpoint that the SDK's client would use: SSM's own in the
// configuration, otherwise that of all services, otherwise the region's. See
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (c *Client) endpoint(ctx context.Context) (string, error) {
	for _, source := range c.config.ConfigSources {
		s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		if url, found, err := s.GetServiceBaseEndpoint(ctx, serviceID); found || err != nil {
			return url, err
		}
	}
	if url := aws.ToString(c.config.BaseEndpoint); url != "" {
		return url, nil
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(c.config.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://ssm." + c.config.Region + "." + domain + "/", nil
}

// errorCode returns the name in an error's type, which may have a namespace before it and a
// URL after it.
func errorCode(kind string) string {
	kind, _, _ = strings.Cut(kind, ":")
	return kind[strings.LastIndexByte(kind, '#')+1:]
}
