package env

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// answerTimeout is how long one try of a call waits for its answer, which comes
// within milliseconds. Without it a connection that died unnoticed while the
// function was frozen would use up the whole invocation; so the SDK tries again
// on another. A call that was carried out nonetheless does no harm twice: a
// delivery's second message is a duplicate, and the ledger knows its own record.
const answerTimeout = 3 * time.Second

// aws is the SDK's configuration, out of what Lambda sets: the region and the
// function's role as session credentials. config.LoadDefaultConfig would give
// the same, but it looks for profiles, containers and instances first, and
// links the clients of SSO and STS; that costs a cold start milliseconds. The
// SDK's own defaults stay: standard retries, three attempts.
//
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> lead to an emulator.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (r *reader) aws() aws.Config {
	credentials := aws.Credentials{
		AccessKeyID:     r.required("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: r.required("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    r.get("AWS_SESSION_TOKEN"), // a role has one, an emulator may not
		Source:          "Lambda environment",
	}
	c := aws.Config{
		Region: r.required("AWS_REGION"),
		// Lambda never changes them: it replaces the process before they end.
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
		ConfigSources: []any{serviceEndpoints{r.get}},
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = answerTimeout
		}),
	}
	if url := r.get("AWS_ENDPOINT_URL"); url != "" {
		c.BaseEndpoint = aws.String(url)
	}
	return c
}

// serviceEndpoints is one of aws.Config's sources. The SDK asks it for a
// service's own endpoint, by the SDK's id of the service.
type serviceEndpoints struct{ get Lookup }

// GetServiceBaseEndpoint returns the value of AWS_ENDPOINT_URL_SQS for "SQS".
func (e serviceEndpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := e.get("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_"))
	return url, url != "", nil
}
