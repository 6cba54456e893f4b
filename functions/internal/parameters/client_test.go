package parameters_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"fairbridge/functions/internal/parameters"
	"fairbridge/pkg/secrets"
)

const name = "/fairbridge/centercode-api-key"

var role = credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-example", "session-example")

func config(url string) aws.Config {
	return aws.Config{
		Region: "eu-central-1", Credentials: role, HTTPClient: http.DefaultClient, BaseEndpoint: &url,
		Retryer: func() aws.Retryer { // the standard one, without its delays
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Microsecond })
		},
	}
}

// answer is the server's response to one request; the zero value drops the connection.
type answer struct {
	status int
	body   string
}

// start starts a server that gives the answers in turn and repeats the last one.
func start(t *testing.T, answers ...answer) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a := answers[min(int(requests.Add(1)), len(answers))-1]
		if a.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func TestGetParameter(t *testing.T) {
	value := answer{200, `{"Parameter":{"Name":"n","Type":"SecureString","Value":"s3cr3t","Version":3,"LastModifiedDate":1.7E9}}`}
	missing := `{"__type":"com.amazonaws.ssm.v20141106#ParameterNotFound:http://example.com/","message":"no such"}`
	tests := map[string]struct {
		answers  []answer
		want     string
		is       error
		code     string
		requests int32
	}{
		"a value":            {[]answer{value}, "s3cr3t", nil, "", 1},
		"no parameter":       {[]answer{{200, `{}`}}, "", nil, "", 1},
		"not found":          {[]answer{{400, missing}}, "", secrets.ErrNotFound, "ParameterNotFound", 1},
		"not allowed":        {[]answer{{400, `{"__type":"AccessDeniedException","Message":"no"}`}}, "", nil, "AccessDeniedException", 1},
		"throttled, once":    {[]answer{{400, `{"__type":"ThrottlingException"}`}, value}, "s3cr3t", nil, "", 2},
		"a fault, twice":     {[]answer{{500, `{"__type":"InternalServerError"}`}, {503, `<html>`}, value}, "s3cr3t", nil, "", 3},
		"a fault for ever":   {[]answer{{500, `{"__type":"InternalServerError"}`}}, "", nil, "InternalServerError", 3},
		"a broken answer":    {[]answer{{}, value}, "s3cr3t", nil, "", 2},
		"not JSON":           {[]answer{{200, `<html>`}}, "", nil, "", 1},
		"an endless answer":  {[]answer{{200, strings.Repeat(" ", 1<<20) + value.body}}, "", nil, "", 1},
		"an error of no one": {[]answer{{403, ``}}, "", nil, "", 1},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			url, requests := start(t, tt.answers...)
			got, err := parameters.New(config(url)).GetParameter(t.Context(), name)
			wantErr := tt.want == "" && tt.answers[0].body != `{}`
			if got != tt.want || (err != nil) != wantErr {
				t.Fatalf("%q, %v; want %q", got, err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
			if api := smithy.APIError(nil); tt.code != "" && (!errors.As(err, &api) || api.ErrorCode() != tt.code) {
				t.Errorf("error %v does not carry %s", err, tt.code)
			}
			if requests.Load() != tt.requests {
				t.Errorf("%d requests, want %d", requests.Load(), tt.requests)
			}
		})
	}
}

// TestContext: once the caller's deadline has passed there are no more retries.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		cancel()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	if _, err := parameters.New(config(server.URL)).GetParameter(ctx, name); err == nil || requests.Load() != 1 {
		t.Errorf("%v after %d requests, want an error after one", err, requests.Load())
	}
}

// TestRequest compares the request with the one that the SDK's client sends.
func TestRequest(t *testing.T) {
	type request struct {
		header http.Header
		method string
		path   string
		body   string
	}
	var got []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		checkSignature(t, r, body)
		got = append(got, request{r.Header, r.Method, r.URL.Path, string(body)})
		_, _ = io.WriteString(w, `{"Parameter":{"Value":"s3cr3t"}}`)
	}))
	defer server.Close()
	c := config(server.URL)
	if _, err := parameters.New(c).GetParameter(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if _, err := ssm.NewFromConfig(c).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(name), WithDecryption: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	own, sdk := got[0], got[1]
	if own.method != sdk.method || own.path != sdk.path || own.body != sdk.body {
		t.Errorf("%s %s %s, the SDK sends %s %s %s", own.method, own.path, own.body, sdk.method, sdk.path, sdk.body)
	}
	for _, header := range []string{"Content-Type", "X-Amz-Target", "X-Amz-Security-Token"} {
		if a, b := own.header.Get(header), sdk.header.Get(header); a != b || a == "" {
			t.Errorf("%s %q, the SDK sends %q", header, a, b)
		}
	}
	scope := func(r request) string {
		before, _, _ := strings.Cut(r.header.Get("Authorization"), ", SignedHeaders")
		return before
	}
	if scope(own) != scope(sdk) {
		t.Errorf("signed %q, the SDK signs %q", scope(own), scope(sdk))
	}
}

// checkSignature signs the request again and compares the signatures.
func checkSignature(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.ContentLength = r.ContentLength
	for header := range strings.SplitSeq(names, ";") {
		if value := r.Header.Get(header); value != "" && header != "content-length" {
			again.Header.Set(header, value)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := role.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), key, again, hex.EncodeToString(sum[:]), "ssm", "eu-central-1", at); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
		t.Errorf("Authorization\n%s, want\n%s", got, want)
	}
}

// source is one of aws.Config's sources.
type source map[string]string

func (s source) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	url, ok := s[id]
	return url, ok, nil
}

// TestEndpoint compares the endpoint with the one that the SDK's client resolves.
func TestEndpoint(t *testing.T) {
	tests := map[string]struct {
		region  string
		base    *string
		sources []any
		want    string
	}{
		"of the region": {"eu-central-1", nil, nil, "https://ssm.eu-central-1.amazonaws.com/"},
		"government":    {"us-gov-west-1", nil, nil, "https://ssm.us-gov-west-1.amazonaws.com/"},
		"China":         {"cn-north-1", nil, nil, "https://ssm.cn-north-1.amazonaws.com.cn/"},
		"of all":        {"eu-central-1", aws.String("http://127.0.0.1:1/"), []any{7, source{"SQS": "http://127.0.0.1:2"}}, "http://127.0.0.1:1/"},
		"its own":       {"eu-central-1", aws.String("http://127.0.0.1:1/"), []any{source{"SSM": "http://127.0.0.1:3/"}}, "http://127.0.0.1:3/"},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			var sent []string
			c := aws.Config{Region: tt.region, Credentials: role, BaseEndpoint: tt.base, ConfigSources: tt.sources,
				Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
				HTTPClient: recorder(func(r *http.Request) { sent = append(sent, r.URL.String()) })}
			if _, err := parameters.New(c).GetParameter(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if _, err := ssm.NewFromConfig(c).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(name)}); err != nil {
				t.Fatal(err)
			}
			if sent[0] != tt.want || sent[1] != tt.want {
				t.Errorf("sent to %q, the SDK's client to %q, want %q", sent[0], sent[1], tt.want)
			}
		})
	}
}

// recorder is an HTTP client that never dials.
type recorder func(*http.Request)

func (f recorder) Do(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"Parameter":{"Value":"v"}}`))}, nil
}
