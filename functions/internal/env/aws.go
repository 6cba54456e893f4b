package env

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// answerTimeout bounds one try of a call, which is normally answered within milliseconds.
// Without it, a connection that died unnoticed while the function was frozen would use up
// the whole invocation; with it, the SDK retries on another connection. Repeating a call
// does no harm: a second message of a delivery is a duplicate, and the ledger recognises
// its own record.
const answerTimeout = 3 * time.Second

// aws returns the SDK's configuration from what Lambda sets: the region, and the function's
// role as session credentials. config.LoadDefaultConfig would give the same, but looks for
// profiles, containers and instances first, and links the clients of SSO and STS, which
// costs milliseconds at a cold start. The SDK's defaults apply: standard retries, three
// attempts.
//
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> redirect to an emulator. See
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
// and https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (r *reader) aws() aws.Config {
	credentials := aws.Credentials{
		AccessKeyID:     r.required("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: r.required("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    r.get("AWS_SESSION_TOKEN"), // a role has one, an emulator may not
		Source:          "Lambda environment",
	}
	c := aws.Config{
		Region: r.required("AWS_REGION"),
		// Lambda never changes them: it replaces the process before they expire.
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

// serviceEndpoints is one of aws.Config's sources. The SDK queries it for a service's
// endpoint, by the SDK's id of the service.
type serviceEndpoints struct{ get Lookup }

// GetServiceBaseEndpoint returns the value of AWS_ENDPOINT_URL_SQS for "SQS".
func (e serviceEndpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := e.get("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_"))
	return url, url != "", nil
}
