package parameterstore_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
)

// client returns the real SDK client of a server that implements just enough of SSM's JSON
// 1.1 protocol.
func client(t *testing.T, status int, body string) *ssm.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name           string
			WithDecryption bool
		}
		data, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil {
			err = json.Unmarshal(data, &in)
		}
		if err != nil || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" || in.Name != "/team/key" || !in.WithDecryption {
			t.Errorf("unexpected request %s %s: %v", r.Header.Get("X-Amz-Target"), data, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return ssm.New(ssm.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(srv.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "key", ""),
		HTTPClient:   srv.Client(),
		Retryer:      aws.NopRetryer{},
	})
}

func TestGetParameter(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
		is     error
		code   string // the API's error code, found in the chain
	}{
		{name: "a value", status: 200, body: `{"Parameter":{"Type":"SecureString","Value":" s3cr3t\n"}}`, want: " s3cr3t\n"},
		{name: "no parameter in the answer", status: 200, body: `{}`},
		{name: "not found", status: 400, body: `{"__type":"ParameterNotFound"}`, is: secrets.ErrNotFound, code: "ParameterNotFound"},
		{name: "not allowed", status: 400, body: `{"__type":"AccessDeniedException","message":"no ssm:GetParameter"}`, code: "AccessDeniedException"},
		{name: "down", status: 500, body: `{"__type":"InternalServerError"}`, code: "InternalServerError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parameterstore.New(client(t, tt.status, tt.body)).GetParameter(t.Context(), "/team/key")
			if got != tt.want || (err != nil) != (tt.code != "") {
				t.Fatalf("%q, %v; want %q", got, err, tt.want)
			}
			if errors.Is(err, secrets.ErrNotFound) != (tt.is != nil) {
				t.Errorf("error %v, want %v", err, tt.is)
			}
			if api := smithy.APIError(nil); tt.code != "" && (!errors.As(err, &api) || api.ErrorCode() != tt.code || !strings.Contains(err.Error(), tt.code)) {
				t.Errorf("error %v does not contain %s", err, tt.code)
			}
		})
	}
}
