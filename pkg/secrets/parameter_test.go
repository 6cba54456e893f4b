package secrets

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// wireClient is the real SDK client in front of a server that speaks just
// enough of SSM's JSON 1.1 protocol.
func wireClient(t *testing.T, status int, body string) *ssm.Client {
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
		if err != nil || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" ||
			in.Name != "/team/bridge/centercode-api-key" || !in.WithDecryption {
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

func TestGetParameterOnTheWire(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		body     string
		want     string
		is       error
		code     string   // the API's error code, reachable through the chain
		contains []string // of the message
	}{
		{name: "a value", status: 200, body: `{"Parameter":{"Type":"SecureString","Value":"s3cr3t-value"}}`, want: secretValue},
		{name: "a trailing newline", status: 200, body: `{"Parameter":{"Value":"s3cr3t-value\r\n\n"}}`, want: secretValue},
		{name: "inner newlines and space stay", status: 200, body: `{"Parameter":{"Value":" a\nb \n"}}`, want: " a\nb "},
		{name: "empty", status: 200, body: `{"Parameter":{"Value":" \n"}}`, is: ErrEmpty,
			contains: []string{"/team/bridge/centercode-api-key", "fairbridge secrets put centercode-api-key"}},
		{name: "no parameter in the answer", status: 200, body: `{}`, is: ErrEmpty},
		{name: "not found", status: 400, body: `{"__type":"ParameterNotFound"}`, is: ErrNotFound,
			contains: []string{"/team/bridge/centercode-api-key", "fairbridge secrets put centercode-api-key"}},
		{name: "not allowed", status: 400, body: `{"__type":"AccessDeniedException","message":"no ssm:GetParameter"}`,
			code: "AccessDeniedException", contains: []string{"read secret /team/bridge/centercode-api-key", "no ssm:GetParameter"}},
		{name: "throttled", status: 400, body: `{"__type":"ThrottlingException"}`, code: "ThrottlingException"},
		{name: "down", status: 500, body: `{"__type":"InternalServerError"}`, code: "InternalServerError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(wireClient(t, tt.status, tt.body), "/team/bridge").Get(t.Context(), CentercodeAPIKey)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("Get = %q, %v; want %q", got, err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
			var api smithy.APIError
			if tt.code != "" && (!errors.As(err, &api) || api.ErrorCode() != tt.code) {
				t.Errorf("error %v does not carry %s", err, tt.code)
			}
			for _, want := range tt.contains {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestParameterName(t *testing.T) {
	for _, prefix := range []string{"/fairbridge/", "/fairbridge"} {
		if got := ParameterName(prefix, WebhookToken); got != "/fairbridge/webhook-token" {
			t.Errorf("ParameterName(%q) = %q", prefix, got)
		}
	}
}

func TestTokens(t *testing.T) {
	tests := []struct {
		value string
		want  []string
	}{
		{"", nil},
		{"\n \t\n", nil},
		{"one", []string{"one"}},
		{"one\ntwo", []string{"one", "two"}},
		{" one \r\n\r\n\ttwo\r\n", []string{"one", "two"}},
		{"one two", []string{"one two"}},
	}
	for _, tt := range tests {
		if got := Tokens(tt.value); !slices.Equal(got, tt.want) {
			t.Errorf("Tokens(%q) = %q, want %q", tt.value, got, tt.want)
		}
	}
}

// FuzzTokens holds that no input yields an empty token: it would let in every
// caller without one.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "a", "a\nb\n", "\r\n\u2028\n \x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, token := range Tokens(value) {
			if token == "" || token != strings.TrimSpace(token) || strings.Contains(token, "\n") {
				t.Errorf("Tokens(%q) has %q", value, token)
			}
		}
	})
}
